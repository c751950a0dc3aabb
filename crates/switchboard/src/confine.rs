//! What the kernel forbids a bot, so that a fault of ours keeps nothing either.
//!
//! Three layers, put up before any thread but the first exists (all inherit them):
//! the process leaves no core and can't be read by its equals, files can be written
//! nowhere but where the settings say (Landlock), and system calls by which memory
//! could come to last are refused (seccomp).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use landlock::{
    ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use serde::Serialize;

/// The rights known to Landlock that we ask for. Kernels before Linux 6.2 keep what they
/// know, and let files be truncated anywhere: that isn't counted as a layer.
const RIGHTS: ABI = ABI::V3;

/// What a bot needs all the same.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Folders it writes in.
    pub(crate) writes: Vec<PathBuf>,
    /// It runs a program: a synthesiser.
    pub(crate) programs: bool,
}

/// Which layers are in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Layers {
    /// No core dumps, and no reading of its memory by others of the same user.
    pub(crate) memory: bool,
    /// Files can be written only where they must.
    pub(crate) files: bool,
    /// System calls that could make memory last are refused.
    pub(crate) calls: bool,
}

impl Layers {
    /// Whether all are.
    pub(crate) fn all(self) -> bool {
        self.memory && self.files && self.calls
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |is: bool| if is { "on" } else { "off" };
        write!(
            f,
            "confined: memory {}, files {}, system calls {}",
            on(self.memory),
            on(self.files),
            on(self.calls)
        )
    }
}

/// Puts up what this kernel has. To be called by the only thread there is.
pub(crate) fn confine(needs: &Needs) -> Layers {
    Layers {
        memory: keep_memory(),
        files: keep_files(needs).unwrap_or(false),
        calls: keep_calls(needs).is_ok(),
    }
}

fn keep_memory() -> bool {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, none).is_ok();
    limited && set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

fn keep_files(needs: &Needs) -> Result<bool, landlock::RulesetError> {
    let writing = AccessFs::from_write(RIGHTS);
    let mut rules = Ruleset::default()
        .handle_access(writing)?
        .create()?
        .add_rules(path_beneath_rules(&needs.writes, writing))?;
    // Programs are started with it in place of input and output.
    if let Ok(null) = PathFd::new("/dev/null") {
        rules = rules.add_rule(PathBeneath::new(null, AccessFs::WriteFile))?;
    }
    let status = rules.restrict_self()?;
    Ok(status.ruleset == RulesetStatus::FullyEnforced)
}

type Failed = Box<dyn std::error::Error>;

fn keep_calls(needs: &Needs) -> Result<(), Failed> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = [
        libc::SYS_memfd_create,
        libc::SYS_io_uring_setup,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_mknodat,
        libc::SYS_shmget,
        libc::SYS_mq_open,
        libc::SYS_add_key,
    ]
    .map(|call| (call, Vec::new()))
    .into();
    if !needs.programs {
        refused.insert(libc::SYS_execve, Vec::new());
        refused.insert(libc::SYS_execveat, Vec::new());
    }
    if !needs.programs && needs.writes.is_empty() {
        refused.insert(libc::SYS_openat, opens_to_write(2)?);
        // Its flags are behind a pointer, which a filter can't follow.
        refused.insert(libc::SYS_openat2, Vec::new());
        #[cfg(target_arch = "x86_64")]
        refused.extend([
            (libc::SYS_open, opens_to_write(1)?),
            (libc::SYS_creat, Vec::new()),
        ]);
    }
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(refused, SeccompAction::Allow, refuse, arch)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// The flags in argument `at` ask to write or to create.
fn opens_to_write(at: u8) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let mode = libc::O_ACCMODE as u64;
    let rules = [
        (mode, libc::O_WRONLY),
        (mode, libc::O_RDWR),
        (libc::O_CREAT as u64, libc::O_CREAT),
    ];
    let rule = |(mask, value): (u64, i32)| {
        let masked = SeccompCmpOp::MaskedEq(mask);
        let value = value as u64;
        let condition = SeccompCondition::new(at, SeccompCmpArgLen::Dword, masked, value)?;
        SeccompRule::new(vec![condition])
    };
    rules.map(rule).into_iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::{File, create_dir};
    use std::io::ErrorKind;
    use std::process::Command;
    use std::thread;

    use landlock::LandlockStatus;

    use super::*;

    /// Whether the kernel has all that the layers need, by its own word: they are not asked
    /// about themselves.
    fn is_able() -> bool {
        let asked = thread::spawn(|| {
            let rules = Ruleset::default().handle_access(AccessFs::MakeChar);
            let rules = rules.and_then(Ruleset::create);
            rules.and_then(landlock::RulesetCreated::restrict_self)
        });
        let status = asked.join().unwrap().map(|status| status.landlock);
        matches!(status, Ok(LandlockStatus::Available { effective_abi, .. }) if effective_abi >= ABI::V3)
    }

    /// The layers hold for a thread and what it starts: each test confines its own.
    fn confined<T: Send + 'static>(
        needs: Needs,
        act: impl FnOnce(Layers) -> T + Send + 'static,
    ) -> T {
        let act = move || {
            let layers = confine(&needs);
            assert!(layers.all() || !is_able(), "{layers}");
            act(layers)
        };
        thread::spawn(act).join().unwrap()
    }

    #[test]
    fn nothing_is_written_or_run_where_nothing_need_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        confined(Needs::default(), move |layers| {
            assert!(layers.memory);
            let dumpable = rustix::process::dumpable_behavior().unwrap();
            assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
            if layers.files || layers.calls {
                let refused = File::create(path.join("audio")).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            }
            if layers.calls {
                let refused = Command::new("true").spawn().unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
                let kept = rustix::fs::memfd_create("audio", rustix::fs::MemfdFlags::empty());
                assert_eq!(kept.unwrap_err(), rustix::io::Errno::PERM);
            }
            // Reading goes on.
            File::open("/proc/self/status").unwrap();
        });
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_state_folder_is_written_in_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (state, beside) = (folder.path().join("state"), folder.path().join("beside"));
        create_dir(&state).unwrap();
        create_dir(&beside).unwrap();
        let needs = Needs {
            writes: vec![state.clone()],
            programs: true,
        };
        confined(needs, move |layers| {
            File::create(state.join("reminders")).unwrap();
            if layers.files {
                let refused = File::create(beside.join("audio")).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            }
            assert!(Command::new("true").status().unwrap().success());
        });
    }

    #[test]
    fn the_layers_say_what_they_are() {
        let some = Layers {
            memory: true,
            files: false,
            calls: true,
        };
        assert!(!some.all());
        assert_eq!(
            some.to_string(),
            "confined: memory on, files off, system calls on"
        );
    }
}
