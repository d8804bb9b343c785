//! Places: `near` of Location (FHIR R4, Location: search by position).

/// The mean radius of the Earth in kilometres (IUGG).
const EARTH_KM: f64 = 6_371.008_8;
/// The distance that counts as near where none is given, in kilometres.
const DEFAULT_KM: f64 = 50.0;

/// Positions within a distance of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearTest {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The distance.
    pub km: f64,
}

impl NearTest {
    /// Reads `latitude|longitude[|distance[|unit]]`; the unit is a UCUM unit of length, kilometres
    /// unless given.
    pub(super) fn parse(value: &str) -> Result<Self, &'static str> {
        let form = "`latitude|longitude|distance|unit` is expected";
        let parts: Vec<&str> = value.split('|').collect();
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        let (Some(latitude), Some(longitude)) = (
            parts.first().copied().and_then(number).filter(|n| n.abs() <= 90.0),
            parts.get(1).copied().and_then(number).filter(|n| n.abs() <= 180.0),
        ) else {
            return Err(form);
        };
        let km = match (parts.get(2).copied().unwrap_or_default(), parts.get(3)) {
            _ if parts.len() > 4 => return Err(form),
            ("", _) => DEFAULT_KM,
            (distance, unit) => {
                let distance = number(distance).filter(|n| *n >= 0.0).ok_or(form)?;
                let unit = unit.copied().filter(|unit| !unit.is_empty()).unwrap_or("km");
                let unit = if unit == "mi" { "[mi_i]" } else { unit };
                let factor = fhirpath::search::unit_factor(unit, "km");
                distance
                    * factor.ok_or("the unit is not a length of UCUM such as `km` or `[mi_i]`")?
            }
        };
        Ok(Self { latitude, longitude, km })
    }

    /// Whether a position is within the distance, by the haversine formula (R. W. Sinnott, "Virtues
    /// of the Haversine", Sky and Telescope 68, 1984).
    pub fn holds(&self, latitude: f64, longitude: f64) -> bool {
        let (a, b) = (self.latitude.to_radians(), latitude.to_radians());
        let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
        let turn = half(self.longitude.to_radians(), longitude.to_radians());
        let haversine = half(a, b) + a.cos() * b.cos() * turn;
        2.0 * EARTH_KM * haversine.clamp(0.0, 1.0).sqrt().asin() <= self.km
    }

    /// The lowest and highest latitude within the distance.
    pub fn latitudes(&self) -> (f64, f64) {
        // A hair more than needed, so that rounding leaves nothing out.
        let degrees = (self.km / EARTH_KM).to_degrees() * 1.000_001 + 1e-9;
        (self.latitude - degrees, self.latitude + degrees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_on_the_globe() {
        // Berlin and Hamburg are about 255 km apart.
        let near = |km: &str| NearTest::parse(&format!("52.52|13.405|{km}")).unwrap();
        assert!(near("260").holds(53.551, 9.994));
        assert!(!near("250").holds(53.551, 9.994));
        assert!(near("160|[mi_i]").holds(53.551, 9.994));
        assert!(near("260000|m").holds(53.551, 9.994));
        assert!(near("").holds(52.52, 13.5));
        let dateline = NearTest::parse("0|179.9|50|km").unwrap();
        assert!(dateline.holds(0.0, -179.9));
        for wrong in ["", "1", "91|0", "1|181", "a|b", "1|2|-3", "1|2|3|kg", "1|2|3|km|x"] {
            assert!(NearTest::parse(wrong).is_err(), "{wrong}");
        }
    }
}
