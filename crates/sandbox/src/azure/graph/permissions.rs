//! Microsoft Graph's application permissions, by name and id.
//!
//! Microsoft Learn: "Microsoft Graph permissions reference".

pub(in super::super) const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

pub(in super::super) const ROLES: [(&str, &str); 17] = [
    (
        "AppRoleAssignment.ReadWrite.All",
        "06b708a9-e830-4db3-a914-8e69da51d44f",
    ),
    (
        "Application.Read.All",
        "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30",
    ),
    (
        "Application.ReadWrite.All",
        "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9",
    ),
    (
        "Application.ReadWrite.OwnedBy",
        "18a4783c-866b-4cc7-a460-3d5e5662c884",
    ),
    (
        "DelegatedPermissionGrant.ReadWrite.All",
        "8e8e4742-1d95-4f68-9d56-6ee75648c72a",
    ),
    ("Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    (
        "Directory.ReadWrite.All",
        "19dbc75e-c2e2-444c-a770-ec69d8559fc7",
    ),
    ("Domain.Read.All", "dbb9058a-0e50-45d7-ae91-66909b5d4664"),
    (
        "Domain.ReadWrite.All",
        "7e05723c-0bb0-42da-be95-ae9f08a6e53c",
    ),
    ("Group.Create", "bf7b1a76-6e77-406b-b258-bf5c7720e98f"),
    ("Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b"),
    (
        "Group.ReadWrite.All",
        "62a82d76-70ea-41e2-9197-370581804d09",
    ),
    (
        "Organization.Read.All",
        "498476ce-e0fe-48b0-b801-37ba7e2685c6",
    ),
    (
        "RoleManagement.ReadWrite.Directory",
        "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8",
    ),
    ("User.Read.All", "df021288-bdef-4463-88db-98f22de89214"),
    ("User.ReadWrite.All", "741f803b-c850-494e-b5df-cde7c675a1ca"),
    (
        "RoleManagement.Read.Directory",
        "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
    ),
];

pub(in super::super) fn role_id(name: &str) -> Option<&'static str> {
    ROLES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, id)| *id)
}

pub(in super::super) fn role_name(id: &str) -> Option<&'static str> {
    ROLES
        .iter()
        .find(|(_, known)| *known == id)
        .map(|(name, _)| *name)
}
