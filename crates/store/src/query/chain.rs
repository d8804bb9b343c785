//! Links between resources: chained parameters, `_has`, `_list`, and references to something above
//! or below in a hierarchy.

use fhirpath::search::{ParamType, SearchParam};

use super::filter::{MAX_LINKS, Reader, fault, known, may_lead_to, shown, unfit};
use super::values;
use super::{Filter, Query, QueryError, ReferenceTest, Test};

/// The parameters by which a resource says what it is part of.
const PART_OF: &[&str] = &["partof", "part-of"];

impl Reader<'_> {
    /// Reads `link.rest=value` or `link:Type.rest=value`. Without a type, every type that the link
    /// may lead to and that understands the rest is meant.
    pub(super) fn chain(
        &self,
        resource_type: &'static str,
        name: &str,
        (link, rest): (&str, &str),
        value: &str,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        let (code, modifier) = match link.split_once(':') {
            Some((code, modifier)) => (code, Some(modifier)),
            None => (link, None),
        };
        let param = known(self.registry, resource_type, code)?;
        if param.param_type != ParamType::Reference {
            return Err(QueryError::Unsupported { name: shown(name) });
        }
        if let Some(modifier) = modifier.filter(|target| !may_lead_to(param, target)) {
            return Err(unfit(code, modifier));
        }
        self.targets(param, modifier, |target| {
            Ok(vec![self.filter(target, rest, value, depth + 1)?])
        })
    }

    /// A chain over `param` to every type that it may lead to and `inner` accepts.
    pub(super) fn targets(
        &self,
        param: &SearchParam,
        only: Option<&str>,
        inner: impl Fn(&'static str) -> Result<Vec<Filter>, QueryError>,
    ) -> Result<Filter, QueryError> {
        let types: Vec<&'static str> = match only {
            Some(target) => fhir::definitions::resource_type(target).into_iter().collect(),
            None if param.targets.is_empty() => fhir::definitions::resource_types().to_vec(),
            None => param.targets.clone(),
        };
        let (mut targets, mut refusal): (Vec<Query>, Option<QueryError>) = (Vec::new(), None);
        for target in types {
            match inner(target) {
                Ok(filters) => targets.push(self.query(target, filters)?),
                Err(error @ QueryError::TooMany { .. }) => return Err(error),
                // That a type lacks the parameter says less than what is wrong with its value.
                Err(error) => {
                    let better = !matches!(error, QueryError::Unknown { .. });
                    if refusal.is_none() || better {
                        refusal = Some(error);
                    }
                }
            }
        }
        match (targets.is_empty(), refusal) {
            (true, Some(error)) => Err(error),
            (true, None) => Err(QueryError::Unsupported { name: shown(&param.code) }),
            (false, _) => Ok(Filter::Chain { param: param.number, targets }),
        }
    }

    /// Reads `_has:Type:reference:rest=value`; `rest` is what stands behind `_has:`.
    pub(super) fn has(
        &self,
        resource_type: &'static str,
        (name, rest): (&str, &str),
        value: &str,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        let mut parts = rest.splitn(3, ':');
        let (Some(source), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(fault(name, "`_has:Type:reference:parameter` is expected"));
        };
        let source = fhir::definitions::resource_type(source)
            .ok_or_else(|| fault(name, "the part behind `_has:` is not a resource type"))?;
        let param = known(self.registry, source, code)?;
        if param.param_type != ParamType::Reference || !may_lead_to(param, resource_type) {
            return Err(fault(name, "the reference cannot lead to the type that is searched"));
        }
        let filter = self.filter(source, rest, value, depth + 1)?;
        let source = Box::new(self.query(source, vec![filter])?);
        Ok(Filter::Has { param: param.number, source })
    }

    /// Reads `_list=id`: what the List names.
    pub(super) fn list(
        &self,
        resource_type: &'static str,
        name: &str,
        value: &str,
    ) -> Result<Filter, QueryError> {
        if value.starts_with('$') {
            return Err(fault(name, "the id of a List is expected; functional lists are not kept"));
        }
        let ids = values::split(value, ',').into_iter().map(values::unescape);
        let ids = ids.map(|id| id.strip_prefix("List/").map(str::to_owned).unwrap_or(id)).collect();
        let param = known(self.registry, "List", "item")?;
        if !may_lead_to(param, resource_type) {
            return Err(QueryError::Unsupported { name: shown(name) });
        }
        let source = Box::new(self.query("List", vec![Filter::Id(ids)])?);
        Ok(Filter::Has { param: param.number, source })
    }

    /// Reads `link:below=id` and `link:above=id`: the link leads to the resource itself or to one
    /// that is part of it (or that it is part of), up to the bound of chains.
    pub(super) fn hierarchy(
        &self,
        param: &SearchParam,
        direction: &str,
        name: &str,
        value: &str,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        let reference = values::reference(self.registry, value, None);
        let reference = reference.map_err(|reason| fault(name, reason))?;
        let ReferenceTest::Local { resource_type, id } = &reference else {
            return Err(unfit(&param.code, direction));
        };
        let part_of = |kind: &'static str| {
            let found = PART_OF.iter().filter_map(|code| self.registry.find(kind, code));
            found.into_iter().find(|param| may_lead_to(param, kind)).map(|param| (kind, param))
        };
        let types: Vec<_> = param
            .targets
            .iter()
            .filter(|kind| resource_type.as_deref().is_none_or(|wanted| wanted == **kind))
            .filter_map(|kind| part_of(kind))
            .collect();
        if types.is_empty() {
            return Err(unfit(&param.code, direction));
        }
        let mut any = Vec::new();
        for (kind, part_of) in types {
            let mut reached = Filter::Id(vec![id.clone()]);
            for _ in depth..MAX_LINKS {
                let inner = self.query(kind, vec![reached])?;
                let further = match direction {
                    "below" => Filter::Chain { param: part_of.number, targets: vec![inner] },
                    _ => Filter::Has { param: part_of.number, source: Box::new(inner) },
                };
                reached = Filter::Any(vec![Filter::Id(vec![id.clone()]), further]);
            }
            let targets = vec![self.query(kind, vec![reached])?];
            any.push(Filter::Chain { param: param.number, targets });
        }
        // What is referred to need not be here.
        any.push(Filter::Param {
            param: param.number,
            tests: vec![Test::Reference(reference)],
            negated: false,
        });
        Ok(Filter::Any(any))
    }
}
