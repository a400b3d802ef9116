//! How Nix tells it: the records of one rebuild, in one of the dialects, each with what is true after it.

use serde_json::{Value, json};

use super::plan::{Ending, Plan, Step};

/// How a version of Nix tells that a build is over, and what else it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    ends: Ends,
    /// `-v`: the list of what will be built is a message.
    listed: bool,
    /// A remote builder's own records come too (ssh-ng).
    nested: bool,
    /// Nix 2.29 and later words a failure otherwise.
    new_words: bool,
    /// The rebuild tool is built first.
    reexec: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The activity stops right after the counter.
    AtOnce,
    /// All activities stop when all is done.
    Late,
    /// Each build has a result of its own (Determinate Nix), and the activities stop late.
    Told,
}

impl Dialect {
    pub fn random(random: &mut fastrand::Rng) -> Self {
        Self {
            ends: *random
                .choice(&[Ends::AtOnce, Ends::Late, Ends::Told])
                .unwrap(),
            listed: random.bool(),
            nested: random.bool(),
            new_words: random.bool(),
            reexec: random.bool(),
        }
    }

    /// Whether it is known of each build when it is over.
    pub fn tells_ends(self) -> bool {
        self.ends != Ends::Late
    }
}

/// What is true of the system's builds.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    pub done: u64,
    pub failed: u64,
    /// Their names, sorted.
    pub running: Vec<String>,
    /// Fetched so far.
    pub bytes: u64,
}

/// A record.
pub struct Told {
    pub at: u64,
    pub json: String,
    /// What is true once it is read; none in the middle of a step.
    pub truth: Option<Truth>,
}

/// The records of a rebuild.
pub struct Log {
    pub records: Vec<Told>,
    pub ending: Ending,
}

/// Ids as Nix makes them: a process's number and a counter.
const FIRST: u64 = 40_935_333_298_176;
/// When the builds begin, in milliseconds.
const BEGIN: u64 = 1_000_000;

struct Writer {
    records: Vec<Told>,
    next: u64,
    at: u64,
    truth: Truth,
    /// The activity that counts builds, and how many of them are expected.
    builds: u64,
    expected: u64,
}

impl Writer {
    fn write(&mut self, json: &Value) {
        self.records.push(Told {
            at: self.at,
            json: json.to_string(),
            truth: None,
        });
    }

    fn start(&mut self, kind: u64, parent: u64, text: &str, fields: &Value) -> u64 {
        self.next += 1;
        let id = self.next;
        let mut record = json!({"action": "start", "id": id, "level": 3, "parent": parent, "text": text, "type": kind});
        if !fields.is_null() {
            record["fields"] = fields.clone();
        }
        self.write(&record);
        id
    }

    fn result(&mut self, id: u64, kind: u64, fields: &Value) {
        self.write(&json!({"action": "result", "fields": fields, "id": id, "type": kind}));
    }

    fn stop(&mut self, id: u64) {
        self.write(&json!({"action": "stop", "id": id}));
    }

    fn message(&mut self, level: u64, text: &str) {
        self.write(&json!({"action": "msg", "level": level, "msg": text}));
    }

    /// Counters of builds. What has just ended is counted once more in what is expected.
    fn count(&mut self, extra: u64) {
        let Truth {
            done,
            failed,
            running,
            ..
        } = &self.truth;
        let fields = json!([done, self.expected + extra, running.len(), failed]);
        self.result(self.builds, 105, &fields);
    }

    /// The step is told: the truth holds now.
    fn settle(&mut self) {
        let truth = self.truth.clone();
        if let Some(last) = self.records.last_mut() {
            last.truth = Some(truth);
        }
    }
}

impl Log {
    pub fn of(plan: &Plan, dialect: Dialect, random: &mut fastrand::Rng) -> Self {
        let mut writer = Writer {
            records: Vec::new(),
            next: FIRST,
            at: BEGIN,
            truth: Truth::default(),
            builds: 0,
            expected: 0,
        };
        if dialect.reexec {
            evaluate(&mut writer, "nixos-rebuild");
            let [realise, builds, copies] = group(&mut writer, 0);
            let drv = "/nix/store/rrr-nixos-rebuild-ng-26.05.drv";
            let build = writer.start(
                105,
                0,
                &format!("building '{drv}'"),
                &json!([drv, "", 1, 1]),
            );
            for fields in [json!([0, 1, 1, 0]), json!([1, 2, 0, 0])] {
                writer.result(builds, 105, &fields);
            }
            for id in [build, copies, builds, realise] {
                writer.stop(id);
            }
        }
        evaluate(&mut writer, "toplevel");
        if dialect.listed && plan.builds() > 1 {
            writer.message(
                3,
                &format!("these {} derivations will be built:", plan.builds()),
            );
        }
        let [realise, builds, copies] = group(&mut writer, 0);
        writer.builds = builds;
        // Goals are found one by one.
        for found in 0..=plan.builds() {
            writer.result(builds, 105, &json!([0, found, 0, 0]));
        }
        writer.expected = plan.builds() as u64;
        fetch(&mut writer, plan, realise, copies, random);
        let (steps, ending) = plan.simulate();
        let mut late = Vec::new();
        let mut activities = vec![0; plan.builds()];
        for (at, step) in steps {
            writer.at = BEGIN + at;
            build(
                &mut writer,
                plan,
                dialect,
                step,
                &mut activities,
                &mut late,
                random,
            );
            writer.settle();
        }
        late.extend([copies, builds, realise]);
        for id in late {
            writer.stop(id);
        }
        Self {
            records: writer.records,
            ending,
        }
    }
}

fn evaluate(writer: &mut Writer, what: &str) {
    let text = format!(
        "evaluating derivation 'path:/etc/nixos#nixosConfigurations.\"web1\".config.system.build.{what}'"
    );
    let id = writer.start(0, 0, &text, &Value::Null);
    writer.stop(id);
}

fn group(writer: &mut Writer, parent: u64) -> [u64; 3] {
    [102, 104, 103].map(|kind| writer.start(kind, parent, "", &Value::Null))
}

fn fetch(writer: &mut Writer, plan: &Plan, realise: u64, copies: u64, random: &mut fastrand::Rng) {
    let all: u64 = plan.fetches.iter().sum();
    writer.result(realise, 106, &json!([101, all]));
    for (done, size) in plan.fetches.iter().enumerate() {
        let path = format!("/nix/store/fff-path{done}-1");
        let cache = "https://cache.example.org";
        let substitute = writer.start(108, 0, "", &json!([path, cache]));
        let copy = writer.start(
            100,
            substitute,
            &format!("copying path '{path}' from '{cache}'"),
            &json!([path, cache, "local"]),
        );
        let transfer = writer.start(101, copy, "downloading", &json!([cache]));
        let part = random.u64(0..=*size);
        for bytes in [part, *size] {
            writer.result(transfer, 105, &json!([bytes, size, 0, 0]));
            // The same bytes, unpacked: they are not counted again.
            writer.result(copy, 105, &json!([bytes * 3, size * 3, 0, 0]));
        }
        writer.truth.bytes += size;
        for id in [transfer, copy, substitute] {
            writer.stop(id);
        }
        writer.result(copies, 105, &json!([done + 1, plan.fetches.len(), 0, 0]));
        writer.settle();
    }
}

fn build(
    writer: &mut Writer,
    plan: &Plan,
    dialect: Dialect,
    step: Step,
    activities: &mut [u64],
    late: &mut Vec<u64>,
    random: &mut fastrand::Rng,
) {
    let (Step::Starts(at) | Step::Built(at) | Step::Failed(at) | Step::Interrupted(at)) = step;
    let derivation = &plan.derivations[at];
    let drv = format!("/nix/store/{at:032}-{}.drv", derivation.name);
    let stop_now = dialect.ends == Ends::AtOnce;
    if let Step::Starts(_) = step {
        let machine = if derivation.remote {
            "ssh-ng://builder"
        } else {
            ""
        };
        let id = writer.start(
            105,
            0,
            &format!("building '{drv}'"),
            &json!([drv, machine, 1, 1]),
        );
        activities[at] = id;
        writer.truth.running.push(derivation.name.clone());
        writer.truth.running.sort();
        writer.count(0);
        if derivation.remote && dialect.nested {
            let [realise, builds, copies] = group(writer, id);
            let inner = writer.start(
                105,
                realise,
                &format!("building '{drv}'"),
                &json!([drv, "", 1, 1]),
            );
            writer.result(builds, 105, &json!([0, 1, 1, 0]));
            writer.result(inner, 101, &json!(["over there"]));
            writer.result(builds, 105, &json!([1, 1, 0, 0]));
            late.extend([inner, copies, builds, realise]);
        }
        writer.result(id, 104, &json!(["buildPhase"]));
        for _ in 0..random.u8(0..3) {
            writer.result(id, 101, &json!(["these 99 derivations will be built:"]));
        }
        return;
    }
    writer.truth.running.retain(|name| *name != derivation.name);
    let id = activities[at];
    match step {
        Step::Built(_) => writer.truth.done += 1,
        Step::Failed(_) => writer.truth.failed += 1,
        Step::Interrupted(_) => writer.stop(id),
        Step::Starts(_) => {}
    }
    if dialect.ends == Ends::Told && !matches!(step, Step::Interrupted(_)) {
        let success = step == Step::Built(at);
        let payload = json!({"path": {"drvPath": drv}, "success": success, "status": if success { "Built" } else { "PermanentFailure" }, "errorMsg": "x"});
        writer.write(&json!({"action": "result", "id": id, "type": 110, "payload": payload}));
    }
    let extra = u64::from(step == Step::Built(at));
    writer.count(extra);
    if matches!(step, Step::Interrupted(_)) {
        return;
    }
    if stop_now {
        writer.stop(id);
    } else {
        late.push(id);
    }
    if step == Step::Failed(at) {
        let text = if dialect.new_words {
            format!(
                "\u{1b}[31;1merror:\u{1b}[0m Cannot build '{drv}'.\n       Reason: builder failed with exit code 2.\n       Last 1 log lines:\n       > x"
            )
        } else {
            format!(
                "error: builder for '{drv}' failed with exit code 2;\n       last 1 log lines:\n       > x"
            )
        };
        writer.message(0, &text);
    }
}
