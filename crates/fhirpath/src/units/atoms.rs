//! The units of UCUM that health records use, by symbol.
//!
//! Units on scales with an offset or a logarithm (`Cel`, `[degF]`, `[pH]`) and arbitrary units
//! (`[iU]`) are base units of their own here: they compare with themselves.

use rust_decimal::Decimal;

use super::ucum::{Resolved, resolve};

/// A unit symbol, with a metric prefix where the unit takes one.
pub(super) fn atom(symbol: &str) -> Option<Resolved> {
    if let Some((_, _, definition)) = find(symbol) {
        return definition;
    }
    PREFIXES.iter().find_map(|(prefix, power)| {
        let (metric, _, definition) = find(symbol.strip_prefix(prefix)?)?;
        let scale = Decimal::from_i128_with_scale(10_i128.pow(power.unsigned_abs()), 0);
        let mut unit = definition.filter(|_| metric)?;
        unit.factor = if *power < 0 {
            unit.factor.checked_div(scale)?
        } else {
            unit.factor.checked_mul(scale)?
        };
        Some(unit)
    })
}

fn find(symbol: &str) -> Option<(bool, &'static str, Option<Resolved>)> {
    let base = |name: &str| Resolved { factor: Decimal::ONE, base: vec![(name.into(), 1)] };
    if BASE.contains(&symbol) {
        return Some((true, "", Some(base(symbol))));
    }
    if let Some((_, name)) = SPECIAL.iter().find(|(known, _)| *known == symbol) {
        return Some((true, "", Some(base(name))));
    }
    if let Some(name) = NAMED_METRIC.iter().find(|known| **known == symbol) {
        return Some((true, "", Some(base(name))));
    }
    if let Some(name) = NAMED.iter().find(|known| **known == symbol) {
        return Some((false, "", Some(base(name))));
    }
    let (_, metric, factor, unit) = DERIVED.iter().find(|(known, ..)| *known == symbol)?;
    let factor: Option<Decimal> = factor.parse().ok();
    let definition = resolve(unit).zip(factor).and_then(|(mut resolved, factor)| {
        resolved.factor = resolved.factor.checked_mul(factor)?;
        Some(resolved)
    });
    Some((*metric, unit, definition))
}

/// The base units of UCUM. `mol` is a number there; here it is a unit of its own because that number
/// is beyond the digits of a decimal.
const BASE: [&str; 8] = ["m", "s", "g", "rad", "K", "C", "cd", "mol"];

/// Units with a scale or procedure of their own.
const SPECIAL: [(&str, &str); 16] = [
    ("Cel", "Cel"),
    ("[degF]", "[degF]"),
    ("[pH]", "[pH]"),
    ("[iU]", "[iU]"),
    ("[IU]", "[iU]"),
    ("[arb'U]", "[arb'U]"),
    ("[USP'U]", "[USP'U]"),
    ("[GPL'U]", "[GPL'U]"),
    ("[MPL'U]", "[MPL'U]"),
    ("[APL'U]", "[APL'U]"),
    ("[CFU]", "[CFU]"),
    ("[Amb'a'1'U]", "[Amb'a'1'U]"),
    ("B[SPL]", "B[SPL]"),
    ("eq", "eq"),
    ("osm", "osm"),
    ("[anti'Xa'U]", "[anti'Xa'U]"),
];

/// Units of which only the name is known here: each compares with itself. With prefixes.
const NAMED_METRIC: &[&str] = &[
    "bit", "bit_s", "Bd", "B", "Np", "B[V]", "B[mV]", "B[uV]", "B[10.nV]", "B[W]", "B[kW]", "b",
    "Oe", "Gb", "Lmb", "Bi", "[k]", "[h]", "[eps_0]", "[mu_0]", "[e]", "[m_e]", "[m_p]", "[G]",
    "pc", "[diop]",
];

/// The same without prefixes.
const NAMED: &[&str] = &[
    "[AU]",
    "[BAU]",
    "[beth'U]",
    "[bdsk'U]",
    "[ka'U]",
    "[todd'U]",
    "[tb'U]",
    "[dye'U]",
    "[smgy'U]",
    "[mclg'U]",
    "[hnsf'U]",
    "[knk'U]",
    "[D'ag'U]",
    "[Lf]",
    "[PFU]",
    "[FFU]",
    "[TCID_50]",
    "[CCID_50]",
    "[EID_50]",
    "[PNU]",
    "[PRU]",
    "[MET]",
    "[S]",
    "[Ch]",
    "[p'diop]",
    "%[slope]",
    "[m/s2/Hz^0.5]",
    "[hp_C]",
    "[hp_M]",
    "[hp_Q]",
    "[hp_X]",
    "[kp_C]",
    "[wood'U]",
    "[mesh_i]",
    "[smoot]",
    "[RFU]",
    "[acr_br]",
    "[acr_us]",
    "[bf_i]",
    "[Btu]",
    "[Btu_39]",
    "[Btu_59]",
    "[Btu_60]",
    "[Btu_m]",
    "[bu_br]",
    "[bu_us]",
    "[car_Au]",
    "[ch_br]",
    "[ch_us]",
    "[cicero]",
    "[cml_i]",
    "[cr_i]",
    "[crd_us]",
    "[didot]",
    "[dpt_us]",
    "[dqt_us]",
    "[fdr_br]",
    "[ft_br]",
    "[fth_br]",
    "[fth_us]",
    "[fur_us]",
    "[gal_wi]",
    "[gil_br]",
    "[in_br]",
    "[kn_br]",
    "[ligne]",
    "[lk_br]",
    "[lk_us]",
    "[lne]",
    "[mi_br]",
    "[mil_us]",
    "[min_br]",
    "[nmi_br]",
    "[pc_br]",
    "[pca]",
    "[pca_pr]",
    "[pied]",
    "[pk_br]",
    "[pk_us]",
    "[pnt]",
    "[pnt_pr]",
    "[pouce]",
    "[pptr]",
    "[rch_us]",
    "[rd_br]",
    "[rd_us]",
    "[rlk_us]",
    "[sct]",
    "[smi_us]",
    "[srd_us]",
    "[twp]",
    "[yd_br]",
    "[degR]",
    "[degRe]",
    "cal_[15]",
    "cal_[20]",
];

const PREFIXES: [(&str, i32); 20] = [
    ("da", 1),
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
    ("y", -24),
];

/// Symbol, whether it takes prefixes, factor and unit (UCUM tables 2 to 15).
const DERIVED: &[(&str, bool, &str, &str)] = &[
    ("10*", false, "10", "1"),
    ("10^", false, "10", "1"),
    ("%", false, "0.01", "1"),
    ("[ppth]", false, "0.001", "1"),
    ("[ppm]", false, "0.000001", "1"),
    ("[ppb]", false, "0.000000001", "1"),
    ("[pi]", false, "3.1415926535897932384626433833", "1"),
    ("sr", true, "1", "rad2"),
    ("Hz", true, "1", "s-1"),
    ("N", true, "1", "kg.m/s2"),
    ("Pa", true, "1", "N/m2"),
    ("J", true, "1", "N.m"),
    ("W", true, "1", "J/s"),
    ("A", true, "1", "C/s"),
    ("V", true, "1", "J/C"),
    ("F", true, "1", "C/V"),
    ("Ohm", true, "1", "V/A"),
    ("S", true, "1", "Ohm-1"),
    ("Wb", true, "1", "V.s"),
    ("T", true, "1", "Wb/m2"),
    ("H", true, "1", "Wb/A"),
    ("lm", true, "1", "cd.sr"),
    ("lx", true, "1", "lm/m2"),
    ("Bq", true, "1", "s-1"),
    ("Gy", true, "1", "J/kg"),
    ("Sv", true, "1", "J/kg"),
    ("gon", false, "0.9", "deg"),
    ("deg", false, "0.0174532925199432957692369077", "rad"),
    ("'", false, "0.0002908882086657215961539485", "rad"),
    ("''", false, "0.0000048481368110953599358991", "rad"),
    ("l", true, "1", "dm3"),
    ("L", true, "1", "dm3"),
    ("ar", true, "100", "m2"),
    ("min", false, "60", "s"),
    ("h", false, "3600", "s"),
    ("d", false, "86400", "s"),
    ("wk", false, "7", "d"),
    ("a", false, "365.25", "d"),
    ("a_j", false, "365.25", "d"),
    ("a_t", false, "365.24219", "d"),
    ("mo", false, "30.4375", "d"),
    ("mo_j", false, "30.4375", "d"),
    ("t", true, "1000", "kg"),
    ("bar", true, "100000", "Pa"),
    ("u", true, "0.0000000000000000000000016605402", "g"),
    ("eV", true, "0.00000000000000000016021773", "J"),
    ("cal", true, "4.184", "J"),
    ("[Cal]", false, "1", "kcal"),
    ("kat", true, "1", "mol/s"),
    ("U", true, "1", "umol/min"),
    ("g%", true, "1", "g/dl"),
    ("m[Hg]", true, "133322", "Pa"),
    ("m[H2O]", true, "9806.65", "Pa"),
    ("atm", false, "101325", "Pa"),
    ("gf", true, "9.80665", "g.m/s2"),
    ("dyn", true, "0.00001", "N"),
    ("P", true, "0.1", "Pa.s"),
    ("Ao", false, "0.1", "nm"),
    ("st", true, "1", "m3"),
    ("[in_i]", false, "2.54", "cm"),
    ("[in_us]", false, "0.0254000508001016002032004064", "m"),
    ("[ft_i]", false, "12", "[in_i]"),
    ("[yd_i]", false, "3", "[ft_i]"),
    ("[mi_i]", false, "5280", "[ft_i]"),
    ("[sft_i]", false, "1", "[ft_i]2"),
    ("[sin_i]", false, "1", "[in_i]2"),
    ("[lb_av]", false, "453.59237", "g"),
    ("[oz_av]", false, "28.349523125", "g"),
    ("[gr]", false, "64.79891", "mg"),
    ("[stone_av]", false, "14", "[lb_av]"),
    ("[gal_us]", false, "231", "[in_i]3"),
    ("[qt_us]", false, "57.75", "[in_i]3"),
    ("[pt_us]", false, "28.875", "[in_i]3"),
    ("[foz_us]", false, "1.8046875", "[in_i]3"),
    ("[drp]", false, "0.05", "ml"),
    ("erg", true, "0.0000001", "J"),
    ("St", true, "1", "cm2/s"),
    ("att", false, "98066.5", "Pa"),
    ("[psi]", false, "6894.757293168361", "Pa"),
    ("Ci", true, "37000000000", "Bq"),
    ("R", true, "0.000258", "C/kg"),
    ("RAD", true, "0.01", "Gy"),
    ("REM", true, "0.01", "Sv"),
    ("Gal", true, "1", "cm/s2"),
    ("mho", true, "1", "S"),
    ("Ky", true, "1", "cm-1"),
    ("By", true, "8", "bit"),
    ("circ", false, "6.2831853071795864769252867666", "rad"),
    ("AU", false, "149597.870691", "Mm"),
    ("[nmi_i]", false, "1852", "m"),
    ("[kn_i]", false, "1", "[nmi_i]/h"),
    ("[fth_i]", false, "6", "[ft_i]"),
    ("[mil_i]", false, "0.001", "[in_i]"),
    ("[hd_i]", false, "4", "[in_i]"),
    ("[cin_i]", false, "1", "[in_i]3"),
    ("[cft_i]", false, "1", "[ft_i]3"),
    ("[cyd_i]", false, "1", "[yd_i]3"),
    ("[syd_i]", false, "1", "[yd_i]2"),
    ("[ft_us]", false, "12", "[in_us]"),
    ("[yd_us]", false, "3", "[ft_us]"),
    ("[mi_us]", false, "5280", "[ft_us]"),
    ("[cup_us]", false, "16", "[tbs_us]"),
    ("[tbs_us]", false, "0.5", "[foz_us]"),
    ("[tsp_us]", false, "0.30078125", "[in_i]3"),
    ("[fdr_us]", false, "0.125", "[foz_us]"),
    ("[min_us]", false, "0.0616115199219", "ml"),
    ("[gil_us]", false, "4", "[foz_us]"),
    ("[bbl_us]", false, "42", "[gal_us]"),
    ("[gal_br]", false, "4.54609", "l"),
    ("[qt_br]", false, "0.25", "[gal_br]"),
    ("[pt_br]", false, "0.125", "[gal_br]"),
    ("[foz_br]", false, "0.00625", "[gal_br]"),
    ("[dr_av]", false, "0.0625", "[oz_av]"),
    ("[oz_tr]", false, "480", "[gr]"),
    ("[lb_tr]", false, "12", "[oz_tr]"),
    ("[pwt_tr]", false, "24", "[gr]"),
    ("[oz_ap]", false, "480", "[gr]"),
    ("[dr_ap]", false, "60", "[gr]"),
    ("[sc_ap]", false, "20", "[gr]"),
    ("[lb_ap]", false, "12", "[oz_ap]"),
    ("[ston_av]", false, "2000", "[lb_av]"),
    ("[lton_av]", false, "2240", "[lb_av]"),
    ("[scwt_av]", false, "100", "[lb_av]"),
    ("[lcwt_av]", false, "112", "[lb_av]"),
    ("[lbf_av]", false, "4.4482216152605", "N"),
    ("[in_i'H2O]", false, "249.08891", "Pa"),
    ("[in_i'Hg]", false, "3386.3788", "Pa"),
    ("[car_m]", false, "0.2", "g"),
    ("[c]", true, "299792458", "m/s"),
    ("[g]", true, "9.80665", "m/s2"),
    ("[ly]", true, "9460730472580800", "m"),
    ("[HPF]", false, "1", "1"),
    ("[LPF]", false, "100", "1"),
    ("cal_th", true, "4.184", "J"),
    ("cal_IT", true, "4.1868", "J"),
    ("cal_m", true, "4.19002", "J"),
    ("[Btu_th]", false, "1054.3502645", "J"),
    ("[Btu_IT]", false, "1055.05585262", "J"),
    ("[HP]", false, "745.69987158227", "W"),
    ("mo_s", false, "29.53059", "d"),
    ("mo_g", false, "30.436875", "d"),
    ("a_g", false, "365.2425", "d"),
    ("sph", false, "12.566370614359172953850573533", "sr"),
    ("G", true, "0.0001", "T"),
    ("Mx", true, "0.00000001", "Wb"),
    ("sb", true, "10000", "cd/m2"),
    ("ph", true, "10000", "lx"),
];
