//! Every method, and who connects by it.

use crate::commands::demo::{
    customer::{Customer, aws, azure, gcp},
    provider::Provider,
};
use landfall_model::connection::Method;

/// A method, the customer who connects by it, and what becomes of it.
pub struct Way {
    pub method: Method,
    pub customer: Box<dyn Customer>,
    pub later: Later,
}

pub enum Later {
    /// Nothing but its end.
    Stays,
    /// The customer takes the grant back.
    IsRevoked,
    /// Landfall replaces its secret.
    IsRotated,
    /// It moves to this method, and its customer grants that.
    Moves(Method, Box<dyn Customer>),
}

/// Every method once. Customers of one cloud have a project or a subscription
/// each, so that none of them meets what another one granted.
pub fn all(provider: &Provider, landfall: &str, token: &str) -> anyhow::Result<Vec<Way>> {
    fn way(method: Method, customer: impl Customer + 'static, later: Later) -> Way {
        let customer = Box::new(customer);
        Way {
            method,
            customer,
            later,
        }
    }
    let account = || aws::Account::of(&provider.ready, 0);
    let owner = |place| gcp::Owner::of(&provider.ready, place);
    let administrator = |place| azure::Administrator::of(&provider.ready, place);
    let keyless = Later::Moves(
        Method::GcpWorkloadIdentity,
        Box::new(gcp::Federation(owner(2)?)),
    );
    Ok(vec![
        way(Method::AssumeRole, account()?, Later::Stays),
        way(Method::Oidc, account()?, Later::IsRevoked),
        way(
            Method::GcpWorkloadIdentity,
            gcp::Federation(owner(0)?),
            Later::IsRevoked,
        ),
        way(
            Method::Impersonation,
            gcp::Impersonation(owner(1)?),
            Later::Stays,
        ),
        way(Method::ServiceAccountKey, gcp::Key::new(owner(2)?), keyless),
        way(
            Method::AzureWorkloadIdentity,
            azure::Federation(administrator(0)?),
            Later::IsRevoked,
        ),
        way(
            Method::AdminConsent,
            azure::Consent::new(administrator(1)?, landfall, token),
            Later::Stays,
        ),
        way(
            Method::ClientSecret,
            azure::Secret::new(administrator(2)?),
            Later::IsRotated,
        ),
    ])
}
