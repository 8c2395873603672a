//! A short run of every target, the same every time: its corpus, and mutations of that.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::PathBuf,
};

use fastrand::Rng;

use super::{TARGETS, mutate::mutate};

/// Of each target, unless `LEADWIRE_TEST_MUTATIONS` says how many.
const MUTATIONS: usize = 3000;

fn mutations() -> usize {
    let asked = std::env::var("LEADWIRE_TEST_MUTATIONS").ok();
    asked.map_or(MUTATIONS, |asked| asked.parse().expect("LEADWIRE_TEST_MUTATIONS must be a number"))
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn names(folder: PathBuf) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The inputs of a target, in an order that does not change.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = folder("corpus").join(target);
    names(folder.clone()).iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

fn holds(target: &str, run: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        eprintln!("`{target}` does not hold for b\"{}\"", input.escape_ascii());
        resume_unwind(panic);
    }
}

#[test]
fn every_target_holds_for_its_corpus_and_for_mutations_of_it() {
    std::thread::scope(|scope| {
        for (number, &(target, run)) in TARGETS.iter().enumerate() {
            scope.spawn(move || {
                let (mut random, corpus) = (Rng::with_seed(number as u64), corpus(target));
                assert!(corpus.len() >= 3, "fuzz/corpus/{target} is too small to begin with");
                for input in &corpus {
                    holds(target, run, input);
                }
                for _ in 0..mutations() {
                    let seed = random.usize(..corpus.len());
                    let input = mutate(&mut random, &corpus[seed], &corpus);
                    holds(target, run, &input);
                }
            });
        }
    });
}

#[test]
fn every_target_has_a_fuzzer_and_a_corpus_and_there_are_no_others() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let fuzzers: BTreeSet<String> =
        names(folder("fuzz_targets")).iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(fuzzers, targets);
    assert_eq!(names(folder("corpus")), targets);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for target in &targets {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "fuzz/Cargo.toml does not list {target}");
        let fuzzer = fs::read_to_string(folder("fuzz_targets").join(format!("{target}.rs"))).unwrap();
        assert!(fuzzer.contains(&format!("run(\"{target}\", data)")), "the fuzzer {target} runs something else");
    }
}
