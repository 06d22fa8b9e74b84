use landfall_model::{Code, Error, approval::Refusal};

/// A refused approval as a user may read it.
pub(crate) fn refused(refusal: Refusal) -> Error {
    let (code, next_step) = match &refusal {
        Refusal::NotProposed(_) => (Code::PlanState, "make a new plan"),
        Refusal::DigestMismatch => (
            Code::PlanDigestMismatch,
            "read the plan again and approve the digest that it has now",
        ),
        Refusal::NeedsPerson | Refusal::ManualPolicy => {
            (Code::PlanNeedsPerson, "an Admin reads and approves it")
        }
        Refusal::NotApproved => (Code::PlanNotApproved, "an Admin reads and approves it"),
        // Somebody edited the database: nothing of it may run.
        Refusal::Tampered => (Code::PlanDigestMismatch, "make a new plan"),
        Refusal::NameMismatch { .. } => (
            Code::RetainedNameMismatch,
            "type the name exactly as the list shows it",
        ),
        Refusal::NotRetained(_) => (
            Code::RetainedState,
            "list the retained resources to see what is there",
        ),
    };
    Error::new(code, refusal.to_string(), next_step)
}
