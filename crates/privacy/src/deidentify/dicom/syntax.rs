//! Which transfer syntaxes are read: a closed list, as what the file says of itself is written again.

use super::Refused;

/// What precedes the syntaxes that are taken, but for the first.
const SYNTAX: &[u8] = b"1.2.840.10008.1.2.";
/// What compresses pixels, and nothing else (PS3.6 table A-1): JPEG, JPEG-LS, JPEG 2000, JPEG XL,
/// high-throughput JPEG 2000, run lengths, deflated frames.
const COMPRESSING: [&[u8]; 18] = [
    b"4.50", b"4.51", b"4.57", b"4.70", b"4.80", b"4.81", b"4.90", b"4.91", b"4.92", b"4.93",
    b"4.110", b"4.111", b"4.112", b"4.201", b"4.202", b"4.203", b"5", b"8.1",
];

/// Whether attributes of a transfer syntax have no written representation, and whether pixels are
/// compressed (PS3.5 annex A).
pub(super) fn syntax(transfer_syntax: &[u8]) -> Result<(bool, bool), Refused> {
    if transfer_syntax == b"1.2.840.10008.1.2" {
        return Ok((true, false));
    }
    match transfer_syntax.strip_prefix(SYNTAX) {
        Some(b"1") => Ok((false, false)),
        Some(syntax) if COMPRESSING.contains(&syntax) => Ok((false, true)),
        _ => Err(Refused::TransferSyntax),
    }
}
