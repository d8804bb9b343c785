//! Compiles SQLite with encrypted pages: the SQLite3 Multiple Ciphers amalgamation, unchanged, from
//! the package `sqlite3mc-src`, with the one cipher that a store uses (ADR 19).

/// What rusqlite's own build sets, and temporary tables in memory: what SQLite would spill into
/// temporary files is not encrypted.
const DEFINES: &[&str] = &[
    "SQLITE_CORE",
    "SQLITE_DEFAULT_FOREIGN_KEYS=1",
    "SQLITE_ENABLE_API_ARMOR",
    "SQLITE_ENABLE_COLUMN_METADATA",
    "SQLITE_ENABLE_DBSTAT_VTAB",
    "SQLITE_ENABLE_FTS5",
    "SQLITE_ENABLE_STAT4",
    "SQLITE_SOUNDEX",
    "SQLITE_THREADSAFE=1",
    "SQLITE_USE_URI",
    "SQLITE_TEMP_STORE=2",
    "HAVE_USLEEP=1",
    "HAVE_ISNAN",
    "HAVE_LOCALTIME_R",
    "_POSIX_THREAD_SAFE_FUNCTIONS",
    "HAVE_CIPHER_CHACHA20=1",
    "HAVE_CIPHER_AEGIS=0",
    "HAVE_CIPHER_AES_128_CBC=0",
    "HAVE_CIPHER_AES_256_CBC=0",
    "HAVE_CIPHER_ASCON128=0",
    "HAVE_CIPHER_RC4=0",
    "HAVE_CIPHER_SQLCIPHER=0",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let folder = sqlite3mc_src::source_dir();
    let mut build = cc::Build::new();
    build.file(folder.join(sqlite3mc_src::SOURCE_FILE)).include(folder).warnings(false);
    for define in DEFINES {
        build.flag(format!("-D{define}"));
    }
    // Tests crawl with an unoptimised database.
    build.opt_level(2).cargo_metadata(false).compile("sqlite3mc");
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    println!("cargo:rustc-link-search=native={out}");
    // Whole: rusqlite, which needs it, may stand behind it in the order of linking.
    println!("cargo:rustc-link-lib=static:+whole-archive=sqlite3mc");
}
