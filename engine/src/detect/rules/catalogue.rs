//! The files of the shipped rules. A test compares the list with the folder.

/// Name and contents of a file in the catalogue.
macro_rules! shipped {
    ($name:literal) => {
        ($name, include_str!(concat!("catalogue/", $name)))
    };
}

/// Name and contents of every file, sorted by name.
pub(super) const FILES: &[(&str, &str)] = &[
    shipped!("S3D-101-key-enumeration.toml"),
    shipped!("S3D-102-bucket-recon.toml"),
    shipped!("S3D-103-sensitive-probe.toml"),
    shipped!("S3D-104-web-exploit.toml"),
    shipped!("S3D-105-hostile-tool.toml"),
    shipped!("S3D-106-probe-campaign.toml"),
    shipped!("S3D-107-fake-crawler.toml"),
    shipped!("S3D-108-protocol-abuse.toml"),
    shipped!("S3D-109-probes-through-cdn.toml"),
    shipped!("S3D-201-auth-bruteforce.toml"),
    shipped!("S3D-202-presigned-abuse.toml"),
    shipped!("S3D-203-new-network.toml"),
    shipped!("S3D-204-credential-misuse.toml"),
    shipped!("S3D-205-signed-config-recon.toml"),
    shipped!("S3D-206-shared-presigned-link.toml"),
    shipped!("S3D-301-bulk-read-outlier.toml"),
    shipped!("S3D-302-requester-over-norm.toml"),
    shipped!("S3D-303-list-then-get.toml"),
    shipped!("S3D-304-version-harvest.toml"),
    shipped!("S3D-305-sequential-enumeration.toml"),
    shipped!("S3D-306-systematic-scraper.toml"),
    shipped!("S3D-401-destructive-delete.toml"),
    shipped!("S3D-402-overwrite-in-place.toml"),
    shipped!("S3D-403-config-tamper.toml"),
    shipped!("S3D-404-anonymous-write.toml"),
    shipped!("S3D-501-egress-cost.toml"),
    shipped!("S3D-502-request-flood.toml"),
    shipped!("S3D-503-hotlink.toml"),
    shipped!("S3D-504-restreaming.toml"),
    shipped!("S3D-601-threat-intel.toml"),
    shipped!("S3D-602-concurrent-use.toml"),
    shipped!("S3D-603-posture.toml"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_listed() {
        let folder = std::path::Path::new(file!()).with_extension("");
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder.strip_prefix("engine").unwrap_or(&folder));
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.ends_with(".toml")).collect();
        names.sort();
        let listed: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, names, "catalogue.rs lists what stands in {}", folder.display());
    }
}
