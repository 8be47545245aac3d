//! A set of rules is asked about requests.

use std::sync::Arc;

use crate::bits::Bits;
use crate::evaluation::{Evaluation, Scratch, State};
use crate::request::{Outcome, Request, RuleMask};
use crate::rule::Phase;
use crate::set::{Budget, RuleSet};

/// What is left of a request's first phase: messages of the same head need not go through it again.
#[derive(Clone, Debug)]
pub struct Baseline {
    pub(crate) state: State,
    /// Rules that find nothing in the head, whatever the body is.
    pub(crate) quiet: Arc<Bits>,
}

impl RuleSet {
    /// Asks about a request's head, without its body.
    pub fn baseline(
        &self,
        request: &Request<'_>,
        without: Option<&RuleMask>,
        scratch: &mut Scratch,
    ) -> Baseline {
        let state = State::new(self, without);
        let budget = Budget::default();
        let mut evaluation = Evaluation::new(self, state, request, budget, scratch);
        evaluation.phase(Phase::Head);
        let quiet = evaluation.quiet();
        evaluation.leave(&quiet);
        Baseline { state: evaluation.into_state(), quiet: Arc::new(quiet) }
    }

    /// Asks about a request's body. Its head is the one that was asked about.
    pub fn judge(
        &self,
        baseline: &Baseline,
        request: &Request<'_>,
        budget: Budget,
        scratch: &mut Scratch,
    ) -> Outcome {
        let mut evaluation = Evaluation::new(self, baseline.state.clone(), request, budget, scratch);
        evaluation.know(&baseline.quiet);
        evaluation.phase(Phase::Body);
        evaluation.outcome()
    }
}
