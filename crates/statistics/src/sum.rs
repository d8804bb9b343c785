//! Sums of many rows that lose next to nothing to rounding.

/// Rows that are added plainly before their sum goes into the compensated total.
const BLOCK: u32 = 32;

/// Running totals of a vector: plain within short blocks, compensated between them (Neumaier, ZAMM
/// 54, 1974), so that the error does not grow with the number of rows and costs nearly nothing.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    block: Vec<f64>,
    pending: u32,
    sums: Vec<f64>,
    carries: Vec<f64>,
}

impl Totals {
    /// Totals of vectors of this length.
    pub(crate) fn new(length: usize) -> Self {
        let zeros = vec![0.0; length];
        Self { block: zeros.clone(), pending: 0, sums: zeros.clone(), carries: zeros }
    }

    /// Where a row adds its values; afterwards it says [`Self::next`].
    pub(crate) fn row(&mut self) -> &mut [f64] {
        &mut self.block
    }

    /// Ends a row.
    pub(crate) fn next(&mut self) {
        self.pending += 1;
        if self.pending >= BLOCK {
            self.flush();
        }
    }

    /// The totals.
    pub(crate) fn finish(mut self) -> Vec<f64> {
        self.flush();
        self.sums.iter().zip(&self.carries).map(|(sum, carry)| sum + carry).collect()
    }

    fn flush(&mut self) {
        let totals = self.sums.iter_mut().zip(&mut self.carries);
        for ((sum, carry), value) in totals.zip(&mut self.block) {
            let next = *sum + *value;
            *carry += if sum.abs() >= value.abs() {
                (*sum - next) + *value
            } else {
                (*value - next) + *sum
            };
            *sum = next;
            *value = 0.0;
        }
        self.pending = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn what_cancels_leaves_the_small_part() {
        let mut totals = Totals::new(1);
        for value in std::iter::repeat_n(1e16, 64)
            .chain(std::iter::repeat_n(0.25, 64))
            .chain(std::iter::repeat_n(-1e16, 64))
        {
            totals.row()[0] += value;
            totals.next();
        }
        assert_eq!(totals.finish(), [16.0]);
    }
}
