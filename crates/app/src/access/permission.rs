use landfall_model::member::Role;

macro_rules! permissions {
    ($($name:ident = $text:literal, $least:ident;)*) => {
        /// Everything that can be asked for, by the name that the audit log
        /// uses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Permission { $($name,)* }

        impl Permission {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// `<noun>.<verb>`, as in the audit log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            pub const fn least_role(self) -> Role {
                match self { $(Self::$name => Role::$least,)* }
            }
        }
    };
}

permissions! {
    MemberRead = "member.read", Viewer;
    MemberAdd = "member.add", Admin;
    MemberChange = "member.change", Admin;
    MemberRemove = "member.remove", Admin;
    TokenRead = "token.read", Viewer;
    TokenCreate = "token.create", Admin;
    TokenRevokeOwn = "token.revoke-own", Viewer;
    TokenRevoke = "token.revoke", Admin;

    ConnectionRead = "connection.read", Viewer;
    ConnectionVerify = "connection.verify", Member;
    ConnectionCreate = "connection.create", Admin;
    ConnectionChange = "connection.change", Admin;
    ConnectionRotate = "connection.rotate", Admin;
    ConnectionDisconnect = "connection.disconnect", Admin;

    ApplicationRead = "application.read", Viewer;
    ApplicationCreate = "application.create", Member;
    ApplicationDelete = "application.delete", Member;
    WorkloadPut = "workload.put", Member;
    WorkloadRemove = "workload.remove", Member;

    EnvironmentRead = "environment.read", Viewer;
    EnvironmentCreate = "environment.create", Member;
    EnvironmentChange = "environment.change", Member;
    // Who could loosen the policy could approve their own plans.
    EnvironmentLoosenApproval = "environment.loosen-approval", Admin;
    EnvironmentDelete = "environment.delete", Member;

    PlanRead = "plan.read", Viewer;
    PlanCreate = "plan.create", Member;
    PlanApprove = "plan.approve", Admin;
    RolloutRead = "rollout.read", Viewer;
    RolloutStart = "rollout.start", Member;
    RolloutCancel = "rollout.cancel", Member;
    RolloutResume = "rollout.resume", Member;

    RetainedRead = "retained.read", Viewer;
    RetainedDestroy = "retained.destroy", Admin;
    RetainedForget = "retained.forget", Admin;
    AuditRead = "audit.read", Viewer;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_approves_destroys_or_grants_needs_an_admin() {
        for permission in [
            Permission::PlanApprove,
            Permission::RetainedDestroy,
            Permission::RetainedForget,
            Permission::ConnectionCreate,
            Permission::ConnectionRotate,
            Permission::ConnectionDisconnect,
            Permission::TokenCreate,
            Permission::MemberChange,
            Permission::EnvironmentLoosenApproval,
        ] {
            assert_eq!(permission.least_role(), Role::Admin, "{permission:?}");
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = Permission::ALL.iter().map(|one| one.as_str()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
    }
}
