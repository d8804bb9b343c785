//! Slicing: which of several elements of one name belongs to which slice.

use fhirpath::Node;

use super::{Findings, Frame, Run, at};
use crate::issue::Code;
use crate::place::Place;
use crate::profile::{Site, Slicing};

impl<'a> Run<'a> {
    /// Tells the elements of a site apart and checks each slice with what belongs to it.
    pub(super) fn slices(
        &self,
        frame: &Frame<'a>,
        site: &'a Site,
        element: &'a str,
        nodes: &[(usize, Node<'a>)],
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let implied;
        let slicing = match &site.slicing {
            Some(slicing) if !slicing.by.is_empty() => slicing,
            _ => {
                implied = Slicing::implied(element);
                &implied
            }
        };
        if slicing.by.iter().any(|one| one.path.is_none()) {
            out.information(Code::NotSupported, place, nodes.first().and_then(|(_, n)| at(n)), || {
                format!(
                    "the slices of `{element}` were not checked: their discriminator is not one \
                     that can be followed"
                )
            });
            return;
        }
        let mut members: Vec<Vec<(usize, Node<'a>)>> = vec![Vec::new(); site.slices.len()];
        let mut unsure = vec![false; site.slices.len()];
        let (mut highest, mut rest) = (0, false);
        for (index, node) in nodes {
            let (found, open) = self.slice_of(frame, slicing, &site.slices, *node, &mut unsure);
            let place = place.child(element, Some(*index));
            let Some(slice) = found else {
                rest = true;
                if slicing.closed && !open {
                    out.error(Code::Structure, &place, at(node), || {
                        format!("`{element}` belongs to no slice, and the profile allows no others")
                    });
                }
                continue;
            };
            if slicing.ordered && slice < highest || slicing.open_at_end && rest {
                out.error(Code::Structure, &place, at(node), || {
                    format!("`{element}` stands out of the order that the profile prescribes")
                });
            }
            highest = highest.max(slice);
            if let Some(members) = members.get_mut(slice) {
                members.push((*index, *node));
            }
        }
        for ((slice, members), unsure) in site.slices.iter().zip(&members).zip(unsure) {
            // Where it cannot be told what belongs to a slice, nothing is known to be missing.
            let min = if unsure { 0 } else { slice.min };
            self.site(frame, slice, element, members, min, place, out);
        }
    }

    /// The slice that an element belongs to; where there is none, whether that is uncertain.
    fn slice_of(
        &self,
        frame: &Frame<'a>,
        slicing: &Slicing,
        slices: &'a [Site],
        node: Node<'a>,
        unsure: &mut [bool],
    ) -> (Option<usize>, bool) {
        let mut open = false;
        for (at, (slice, unsure)) in slices.iter().zip(unsure).enumerate() {
            let before = self.uncertain.replace(false);
            let belongs = slicing.by.iter().all(|by| self.belongs(frame, by, slice, node));
            let uncertain = self.uncertain.replace(before);
            if belongs {
                return (Some(at), false);
            }
            *unsure |= uncertain;
            open |= uncertain;
        }
        (None, open)
    }
}
