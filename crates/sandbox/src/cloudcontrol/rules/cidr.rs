//! Blocks of addresses.

use std::net::Ipv4Addr;

/// An IPv4 network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cidr {
    first: u32,
    last: u32,
    pub bits: u32,
}

impl Cidr {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
        let size = 1u64 << (32 - bits);
        // AWS canonicalises host bits away; a caller that relies on it would
        // see another block than it asked for, so the sandbox refuses.
        if u64::from(address) % size != 0 {
            return None;
        }
        let last = u32::try_from(u64::from(address) + size - 1).ok()?;
        Some(Self {
            first: address,
            last,
            bits,
        })
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// An address inside that AWS does not reserve.
    pub(super) fn host(self, offset: u64) -> Ipv4Addr {
        let usable = u64::from(self.last - self.first).saturating_sub(5).max(1);
        let step = u32::try_from(4 + offset % usable).unwrap_or(4);
        Ipv4Addr::from(self.first.saturating_add(step))
    }
}

pub(super) fn block(text: Option<&str>) -> Option<Cidr> {
    Cidr::parse(text?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_contain_and_overlap() {
        let network = Cidr::parse("10.0.0.0/16").unwrap();
        let inside = Cidr::parse("10.0.4.0/24").unwrap();
        let outside = Cidr::parse("10.1.0.0/24").unwrap();
        assert!(network.contains(inside) && !network.contains(outside));
        assert!(Cidr::parse("10.0.4.128/25").unwrap().overlaps(inside));
        assert!(!outside.overlaps(inside));
        assert_eq!(Cidr::parse("10.0.0.1/16"), None);
        assert_eq!(Cidr::parse("10.0.0.0/33"), None);
    }
}
