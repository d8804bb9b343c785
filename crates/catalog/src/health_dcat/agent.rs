//! Institutions as `foaf:Agent`, with the contact point of Release 8 (CPOV), that of Release 5 (vCard) and
//! the properties of the pilot's draft.

use super::terms::{CV, DCAT, DCT, FOAF, HEALTH, VCARD};
use super::{below, concept, document};
use crate::description::{Agent, Contact};
use crate::graph::{Graph, Value};
use crate::words::Iri;

/// Writes an institution and gives its address.
pub(super) fn write(graph: &mut Graph, agent: &Agent) -> Iri {
    let node = agent.iri.clone();
    graph.class(&node, FOAF!("Agent"));
    graph.texts(&node, FOAF!("name"), &agent.name);
    document(graph, &node, FOAF!("homepage"), &agent.homepage);
    if let Ok(mail) = Iri::new(format!("mailto:{}", agent.email)) {
        graph.link(&node, FOAF!("mbox"), &mail);
    }
    if let Some(kind) = &agent.kind {
        concept(graph, &node, DCT!("type"), kind);
        concept(graph, &node, HEALTH!("publisherType"), kind);
    }
    // Release 8 allows one description; the draft takes the note in every language.
    if let Some((language, text)) = best(agent) {
        graph.add(&node, DCT!("description"), Value::Text(text.to_owned(), language.clone()));
    }
    graph.texts(&node, HEALTH!("publisherNote"), &agent.note);
    graph.add(&node, HEALTH!("trustedDataHolder"), Value::truth(agent.is_trusted_holder));
    let contact = below(&node, "contact");
    graph.link(&node, CV!("contactPoint"), &contact);
    graph.class(&contact, CV!("ContactPoint"));
    graph.add(&contact, CV!("email"), Value::plain(agent.email.as_str()));
    document(graph, &contact, CV!("contactPage"), &agent.homepage);
    if let Some(telephone) = &agent.telephone {
        graph.add(&contact, CV!("telephone"), Value::plain(telephone.as_str()));
    }
    card(graph, &node, agent);
    node
}

/// The same contact as Release 5 has it.
fn card(graph: &mut Graph, node: &Iri, agent: &Agent) {
    let card = below(node, "card");
    graph.link(node, DCAT!("contactPoint"), &card);
    graph.class(&card, VCARD!("Kind"));
    graph.texts(&card, VCARD!("fn"), &agent.name);
    if let Ok(mail) = Iri::new(format!("mailto:{}", agent.email)) {
        graph.link(&card, VCARD!("hasEmail"), &mail);
    }
    graph.link(&card, VCARD!("hasURL"), &agent.homepage);
}

fn best(agent: &Agent) -> Option<(&crate::words::Language, &str)> {
    let is_english = |l: &crate::words::Language| l.as_str().starts_with("en");
    let english = agent.note.iter().find(|(l, _)| is_english(l));
    english.or_else(|| agent.note.iter().next())
}

/// Writes whom to ask about a data set: a card, as the releases have it, and what the draft of the pilot wants of
/// an agent.
pub(super) fn contact(graph: &mut Graph, node: &Iri, contact: &Contact) {
    let point = below(node, "contact");
    graph.link(node, DCAT!("contactPoint"), &point);
    graph.class(&point, VCARD!("Kind"));
    for name in [VCARD!("fn"), FOAF!("name")] {
        graph.texts(&point, name, &contact.name);
    }
    if let Ok(mail) = Iri::new(format!("mailto:{}", contact.email)) {
        graph.link(&point, VCARD!("hasEmail"), &mail);
        graph.link(&point, FOAF!("mbox"), &mail);
    }
    graph.link(&point, VCARD!("hasURL"), &contact.page);
    document(graph, &point, FOAF!("homepage"), &contact.page);
}
