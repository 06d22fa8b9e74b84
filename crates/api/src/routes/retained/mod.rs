pub(crate) mod destroy;
pub(crate) mod forget;
pub(crate) mod list;
pub(crate) mod show;
