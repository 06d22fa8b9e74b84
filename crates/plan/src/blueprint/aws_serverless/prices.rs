//! What things cost, roughly: on-demand list prices of AWS in us-east-1 for 730
//! hours, from the services' public pricing pages as of 2025. Traffic, requests
//! and stored gigabytes that depend on use are left out.

/// $0.045 an hour.
pub(super) const NAT_GATEWAY: u32 = 3285;
/// $0.005 an hour for each public IPv4 address.
pub(super) const PUBLIC_ADDRESS: u32 = 365;
/// $0.0225 an hour, without capacity units; and an address in each zone.
pub(super) const LOAD_BALANCER: u32 = 1643;
/// $0.40 a secret.
pub(super) const SECRET: u32 = 40;

/// Fargate, Linux on x86: $0.04048 a vCPU-hour, $0.004445 a GB-hour.
pub(super) fn fargate(cpu: u32, memory_mib: u32, replicas: u32) -> u32 {
    let hourly = f64::from(cpu) / 1024.0 * 0.04048 + f64::from(memory_mib) / 1024.0 * 0.004445;
    cents(hourly * 730.0 * f64::from(replicas))
}

/// Instance hours and gp3 storage; a standby costs the same again. `None` for a
/// class that is not in the table.
pub(super) fn database(class: &str, storage_gib: u32, multi_az: bool) -> Option<u32> {
    let hourly = match class {
        "db.t4g.micro" => 0.016,
        "db.t4g.small" => 0.032,
        "db.t4g.medium" => 0.065,
        "db.t4g.large" => 0.129,
        "db.t3.micro" => 0.018,
        "db.t3.small" => 0.036,
        "db.t3.medium" => 0.072,
        "db.m7g.large" => 0.168,
        "db.m7g.xlarge" => 0.337,
        "db.r7g.large" => 0.239,
        "db.r7g.xlarge" => 0.478,
        _ => return None,
    };
    let copies = if multi_az { 2.0 } else { 1.0 };
    Some(cents(
        (hourly * 730.0 + f64::from(storage_gib) * 0.115) * copies,
    ))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer `as` saturates, and no price is negative"
)]
fn cents(dollars: f64) -> u32 {
    (dollars * 100.0).round() as u32
}
