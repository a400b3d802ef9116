//! Boot loaders of NixOS (nixpkgs nixos/modules/system/boot/loader, 24.05 to 26.05) and lanzaboote. They are installed
//! before anything is activated; systemd-boot, extlinux and Limine print nothing when all is well.

use super::{Rule, tool_rule};
use crate::run::kind::RebuildTool::{self, NixosRebuild};
use crate::run::rules::Meaning as M;

const TOOL: &[RebuildTool] = &[NixosRebuild];

pub(super) const RULES: &[Rule] = &[
    tool_rule(
        M::Activating,
        TOOL,
        &[
            // grub/install-grub.pl
            r"^updating GRUB 2 menu\.\.\.",
            r"^installing the GRUB 2 boot loader",
            // systemd-boot/systemd-boot-builder.py, and systemd's bootctl
            r"^updating systemd-boot from ",
            r"^installing systemd-boot",
            r#"^Skipping "/"#,
            // generations-dir, raspberrypi and init-script builders
            r"^updating the boot generations directory\.\.\.",
            // lanzaboote, rust/tool/systemd/src/install.rs (0.3 to 0.5)
            r#"^Installing Lanzaboote to ""#,
        ],
    ),
    tool_rule(
        M::Step,
        TOOL,
        &[
            r"^Installing for [a-z0-9_]+-[a-z0-9]+ platform\.$",
            r"^Installation finished\. No error reported\.$",
            r#"^Created "/"#,
            r#"^Copied "/.*" to "/.*"\.$"#,
            r#"^Created EFI boot entry ""#,
            r#"^Updating "/"#,
            r"^Collecting garbage\.\.\.$",
            r"^Successfully installed Lanzaboote\.$",
            // refind/refind-install.py
            r"^removing unused boot files\.\.\.$",
        ],
    ),
    tool_rule(
        M::Warning,
        TOOL,
        &[
            r"^Warning: os-prober will ",
            r"^could not sync /",
            r"^ignoring (?:default profile|profile '.*') in the list of boot entries",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::{M, NixosRebuild};
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_boot_loaders_say() {
        check_all(
            Some(NixosRebuild),
            &[
                ("updating GRUB 2 menu...", Some(M::Activating)),
                ("updating GRUB 2 menus", None),
                (
                    "installing the GRUB 2 boot loader into /boot...",
                    Some(M::Activating),
                ),
                (
                    "updating systemd-boot from 255.2 to 256.4",
                    Some(M::Activating),
                ),
                (
                    "Skipping \"/boot/EFI/systemd/systemd-bootx64.efi\", same boot loader version in place already.",
                    Some(M::Activating),
                ),
                (
                    "Copied \"/nix/store/x/systemd-bootx64.efi\" to \"/boot/EFI/systemd/systemd-bootx64.efi\".",
                    Some(M::Step),
                ),
                ("Copied \"/a\"", None),
                (
                    "updating the boot generations directory...",
                    Some(M::Activating),
                ),
                ("Installing Lanzaboote to \"/boot\"...", Some(M::Activating)),
                ("Successfully installed Lanzaboote.", Some(M::Step)),
                ("Installing for x86_64-efi platform.", Some(M::Step)),
                ("Installing for fun", None),
                ("removing unused boot files...", Some(M::Step)),
                ("could not sync /boot: Input/output error", Some(M::Warning)),
                (
                    "ignoring profile 'test' in the list of boot entries because of the following error:",
                    Some(M::Warning),
                ),
            ],
        );
    }
}
