//! The functions of FHIRPath and those that FHIR adds.

mod boundaries;
pub(crate) mod codes;
mod collections;
mod conversions;
pub(crate) mod elements;
mod encodings;
mod iteration;
mod math;
mod narrative;
pub(crate) mod patterns;
mod strings;

pub use narrative::is_sound as narrative_is_sound;

use crate::ast::Ast;
use crate::eval::{Evaluated, Evaluator, Scope};
use crate::item::{Collection, Item};
use crate::temporal::Temporal;
use patterns::Pattern;

/// Functions that are told apart in one place.
enum Group {
    Collection,
    Iteration,
    Conversion,
    String,
    Math,
    Limits,
    Element,
    Codes,
    Clock,
}

/// Declares every function once: variant, name, least and most arguments, group.
macro_rules! functions {
    ($($variant:ident $name:literal $least:literal $most:literal $group:ident,)*) => {
        /// A function that expressions can call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Function {
            $($variant,)*
        }

        impl Function {
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Function::$variant),)*
                    _ => None,
                }
            }

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Function::$variant => $name,)*
                }
            }

            /// Least and most number of arguments.
            pub(crate) fn arity(self) -> (usize, usize) {
                match self {
                    $(Function::$variant => ($least, $most),)*
                }
            }

            fn group(self) -> Group {
                match self {
                    $(Function::$variant => Group::$group,)*
                }
            }
        }
    };
}

functions! {
    Empty "empty" 0 0 Collection,
    Exists "exists" 0 1 Iteration,
    All "all" 1 1 Iteration,
    AllTrue "allTrue" 0 0 Collection,
    AnyTrue "anyTrue" 0 0 Collection,
    AllFalse "allFalse" 0 0 Collection,
    AnyFalse "anyFalse" 0 0 Collection,
    SubsetOf "subsetOf" 1 1 Collection,
    SupersetOf "supersetOf" 1 1 Collection,
    Count "count" 0 0 Collection,
    Distinct "distinct" 0 0 Collection,
    IsDistinct "isDistinct" 0 0 Collection,
    Not "not" 0 0 Collection,
    Where "where" 1 1 Iteration,
    Select "select" 1 1 Iteration,
    Repeat "repeat" 1 1 Iteration,
    Aggregate "aggregate" 1 2 Iteration,
    Sort "sort" 0 10 Iteration,
    Single "single" 0 0 Collection,
    First "first" 0 0 Collection,
    Last "last" 0 0 Collection,
    Tail "tail" 0 0 Collection,
    Skip "skip" 1 1 Collection,
    Take "take" 1 1 Collection,
    Intersect "intersect" 1 1 Collection,
    Exclude "exclude" 1 1 Collection,
    Union "union" 1 1 Collection,
    Combine "combine" 1 2 Collection,
    Coalesce "coalesce" 1 20 Collection,
    Iif "iif" 2 3 Iteration,
    ToBoolean "toBoolean" 0 0 Conversion,
    ConvertsToBoolean "convertsToBoolean" 0 0 Conversion,
    ToInteger "toInteger" 0 0 Conversion,
    ConvertsToInteger "convertsToInteger" 0 0 Conversion,
    ToDecimal "toDecimal" 0 0 Conversion,
    ConvertsToDecimal "convertsToDecimal" 0 0 Conversion,
    ToDate "toDate" 0 0 Conversion,
    ConvertsToDate "convertsToDate" 0 0 Conversion,
    ToDateTime "toDateTime" 0 0 Conversion,
    ConvertsToDateTime "convertsToDateTime" 0 0 Conversion,
    ToTime "toTime" 0 0 Conversion,
    ConvertsToTime "convertsToTime" 0 0 Conversion,
    ToQuantity "toQuantity" 0 1 Conversion,
    ConvertsToQuantity "convertsToQuantity" 0 1 Conversion,
    ToString "toString" 0 0 Conversion,
    ConvertsToString "convertsToString" 0 0 Conversion,
    IndexOf "indexOf" 1 1 String,
    LastIndexOf "lastIndexOf" 1 1 String,
    Substring "substring" 1 2 String,
    StartsWith "startsWith" 1 1 String,
    EndsWith "endsWith" 1 1 String,
    Contains "contains" 1 1 String,
    Upper "upper" 0 0 String,
    Lower "lower" 0 0 String,
    Replace "replace" 2 2 String,
    Matches "matches" 1 2 String,
    MatchesFull "matchesFull" 1 2 String,
    ReplaceMatches "replaceMatches" 2 3 String,
    Length "length" 0 0 String,
    ToChars "toChars" 0 0 String,
    Encode "encode" 1 1 String,
    Decode "decode" 1 1 String,
    Escape "escape" 1 1 String,
    Unescape "unescape" 1 1 String,
    Trim "trim" 0 0 String,
    Split "split" 1 1 String,
    Join "join" 0 1 String,
    Abs "abs" 0 0 Math,
    Ceiling "ceiling" 0 0 Math,
    Exp "exp" 0 0 Math,
    Floor "floor" 0 0 Math,
    Ln "ln" 0 0 Math,
    Log "log" 1 1 Math,
    Power "power" 1 1 Math,
    Round "round" 0 1 Math,
    Sqrt "sqrt" 0 0 Math,
    Truncate "truncate" 0 0 Math,
    Children "children" 0 0 Element,
    Descendants "descendants" 0 0 Element,
    Trace "trace" 1 2 Iteration,
    Now "now" 0 0 Clock,
    Today "today" 0 0 Clock,
    TimeOfDay "timeOfDay" 0 0 Clock,
    LowBoundary "lowBoundary" 0 1 Limits,
    HighBoundary "highBoundary" 0 1 Limits,
    Precision "precision" 0 0 Limits,
    Comparable "comparable" 1 1 Limits,
    Type "type" 0 0 Element,
    Extension "extension" 1 1 Element,
    HasExtension "hasExtension" 1 1 Element,
    HasValue "hasValue" 0 0 Element,
    GetValue "getValue" 0 0 Element,
    Resolve "resolve" 0 0 Element,
    ConformsTo "conformsTo" 1 1 Element,
    MemberOf "memberOf" 1 1 Codes,
    Subsumes "subsumes" 1 1 Codes,
    SubsumedBy "subsumedBy" 1 1 Codes,
    HtmlChecks "htmlChecks" 0 0 Element,
    GetResourceKey "getResourceKey" 0 0 Element,
    GetReferenceKey "getReferenceKey" 0 1 Element,
}

impl Function {
    /// Whether the first argument is a regular expression.
    pub(crate) fn takes_regex(self) -> bool {
        matches!(self, Function::Matches | Function::MatchesFull | Function::ReplaceMatches)
    }
}

/// One call: the function with what it works on.
pub(crate) struct Call<'c, 's, 'a> {
    pub function: Function,
    pub input: Collection<'a>,
    pub args: &'a [Ast],
    /// The first argument, where it is a regular expression that is written out.
    pub pattern: Option<&'a Pattern>,
    pub scope: &'c Scope<'s, 'a>,
}

impl<'a> Evaluator<'_, 'a> {
    pub(crate) fn call(
        &self,
        function: Function,
        input: Collection<'a>,
        args: &'a [Ast],
        pattern: Option<&'a Pattern>,
        scope: &Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        self.charge(input.len() + 1)?;
        let call = Call { function, input, args, pattern, scope };
        match function.group() {
            Group::Collection => self.collection(call),
            Group::Iteration => self.iteration(call),
            Group::Conversion => self.conversion(call),
            Group::String => self.string(call),
            Group::Math => self.math(call),
            Group::Limits => self.limits(call),
            Group::Element => self.element(call),
            Group::Codes => self.codes(&call),
            Group::Clock => {
                let now = Temporal::from_ms(self.env.now_ms);
                Ok(vec![Item::Temporal(match function {
                    Function::Today => now.to_date(),
                    Function::TimeOfDay => now.to_time(),
                    _ => now,
                })])
            }
        }
    }

    /// An argument, evaluated where the call stands.
    pub(crate) fn arg(&self, call: &Call<'_, '_, 'a>, number: usize) -> Evaluated<'a> {
        call.args.get(number).map_or(Ok(Vec::new()), |arg| self.eval(arg, call.scope))
    }
}

/// A truth as a collection.
pub(crate) fn truth<'a>(value: bool) -> Evaluated<'a> {
    Ok(vec![Item::Boolean(value)])
}
