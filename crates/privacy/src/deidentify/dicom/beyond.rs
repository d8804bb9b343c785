//! What the profile does not name (PS3.15 has no row for names that somebody goes by, dates in other
//! calendars and most texts): closed lists of what stays.

use super::profile::Do;

/// The group of what is told of the patient.
const PATIENT: u32 = 0x0010;

/// Of the patient: where in the image the subject is, whether it is a phantom, how axes lie.
const OF_PATIENT: [u32; 3] = [0x0010_0028, 0x0010_0200, 0x0010_2210];

/// Texts and bytes that a device or a standard gave: codes with their meaning, makers and models,
/// coils, kernels, sequences, methods, tables of colours and grey, displacements, pixels. In ascending order.
const TECHNICAL: [u32; 44] = [
    0x0008_0070, // Manufacturer
    0x0008_0100, // CodeValue
    0x0008_0102, // CodingSchemeDesignator
    0x0008_0103, // CodingSchemeVersion
    0x0008_0104, // CodeMeaning
    0x0008_0119, // LongCodeValue
    0x0008_1090, // ManufacturerModelName
    0x0018_0024, // SequenceName
    0x0018_0031, // Radiopharmaceutical
    0x0018_0085, // ImagedNucleus
    0x0018_1020, // SoftwareVersions
    0x0018_1040, // ContrastBolusRoute
    0x0018_1070, // RadiopharmaceuticalRoute
    0x0018_1160, // FilterType
    0x0018_1210, // ConvolutionKernel
    0x0018_1250, // ReceiveCoilName
    0x0018_1251, // TransmitCoilName
    0x0018_9005, // PulseSequenceName
    0x0018_9041, // ReceiveCoilManufacturerName
    0x0018_9047, // MultiCoilElementName
    0x0018_9050, // TransmitCoilManufacturerName
    0x0018_9320, // ImageFilter
    0x0020_9056, // StackID
    0x0028_1054, // RescaleType
    0x0028_1201, // RedPaletteColorLookupTableData
    0x0028_1202, // GreenPaletteColorLookupTableData
    0x0028_1203, // BluePaletteColorLookupTableData
    0x0028_1204, // AlphaPaletteColorLookupTableData
    0x0028_1221, // SegmentedRedPaletteColorLookupTableData
    0x0028_1222, // SegmentedGreenPaletteColorLookupTableData
    0x0028_1223, // SegmentedBluePaletteColorLookupTableData
    0x0028_3004, // ModalityLUTType
    0x0028_3006, // LUTData
    0x0054_0018, // EnergyWindowName
    0x0054_1101, // AttenuationCorrectionMethod
    0x0054_1103, // ReconstructionMethod
    0x0054_1105, // ScatterCorrectionMethod
    0x0062_0009, // SegmentAlgorithmName
    0x0064_0009, // VectorGridData
    0x7FE0_0001, // ExtendedOffsetTable
    0x7FE0_0002, // ExtendedOffsetTableLengths
    0x7FE0_0008, // FloatPixelData
    0x7FE0_0009, // DoubleFloatPixelData
    0x7FE0_0010, // PixelData
];

/// Texts that somebody types and that may be empty (type 2): PositionReferenceIndicator, coils,
/// ContentDescription, RadiationMachineName.
const EMPTIED: [u32; 4] = [0x0020_1040, 0x0018_9046, 0x0070_0081, 0x3002_0020];

/// Texts that somebody types and that may not be empty (type 1): LUTLabel, SegmentLabel, RTImageLabel.
const REPLACED: [u32; 3] = [0x0040_9210, 0x0062_0005, 0x3002_0002];

/// What is done to an attribute of the standard that the profile does not name; `dates` to dates.
pub(super) fn action(tag: u32, vr: [u8; 2], dates: Do) -> Do {
    if tag >> 16 == PATIENT && !OF_PATIENT.contains(&tag) {
        return Do::Remove;
    }
    match &vr {
        b"UI" => Do::Uid,
        b"DA" | b"DT" | b"TM" => dates,
        // Codes, numbers, and sequences, which are cleaned inside.
        b"CS" | b"DS" | b"IS" | b"US" | b"SS" | b"UL" | b"SL" | b"UV" | b"SV" | b"FL" | b"FD"
        | b"AT" | b"SQ" => Do::Keep,
        _ if TECHNICAL.contains(&tag) => Do::Keep,
        _ if EMPTIED.contains(&tag) => Do::Empty,
        _ if REPLACED.contains(&tag) => Do::Dummy,
        _ => Do::Remove,
    }
}
