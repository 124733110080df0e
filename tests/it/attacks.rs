//! The attacks that train a network, at a size that takes a moment: what must hold of each, however little it does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::RngExt;
use ue_audit::lab::attack::{
    Attack, Em, Measured, NAMES, Options, Perturbation, Rem, Scale, Sep, Storage, Tap, Target,
    WorkFile, apply, named,
};
use ue_audit::observe::{Observer, Silent};
use ue_audit::zoo::{Architecture, Recipe};
use ue_audit::{Error, Seed};

const SIDE: usize = 16;
const ROWS: usize = 30;
const CLASSES: usize = 3;
const RADIUS: f64 = 8.0 / 255.0;

fn attacks() -> Vec<Box<dyn Attack>> {
    let small = Architecture::Small;
    let em = |class_wise| Em {
        sweeps: 3,
        ..Em::new(RADIUS, class_wise, small, Scale::Cpu)
    };
    let rem = |class_wise| -> Box<dyn Attack> {
        Box::new(Rem {
            updates: 4,
            steps: 2,
            views: 1,
            ..Rem::new(RADIUS, class_wise, small, Scale::Cpu)
        })
    };
    let recipe = Recipe {
        epochs: 2,
        batch: 10,
        ..Recipe::of(small)
    };
    vec![
        Box::new(em(false)),
        Box::new(em(true)),
        Box::new(Tap {
            recipe: recipe.clone(),
            sweeps: 4,
            ..Tap::new(RADIUS, small, Scale::Cpu)
        }),
        Box::new(Sep {
            recipe,
            states: 2,
            ..Sep::new(RADIUS, small, Scale::Cpu)
        }),
        rem(false),
        rem(true),
    ]
}

/// Some pictures of noise, handed to `use_them` as a target.
fn with_target<T>(use_them: impl FnOnce(&Target<'_>) -> T) -> T {
    let rng = &mut Seed(7).stream("pixels", 0);
    let pixels: Vec<u8> = (0..ROWS * SIDE * SIDE * 3).map(|_| rng.random()).collect();
    let labels: Vec<u32> = (0..ROWS).map(|k| (k % CLASSES) as u32).collect();
    use_them(&Target {
        height: SIDE,
        width: SIDE,
        labels: &labels,
        classes: CLASSES,
        pixels: &pixels,
    })
}

fn perturb(attack: &dyn Attack, seed: u64) -> Perturbation {
    with_target(|target| attack.perturb(target, Seed(seed), &Silent).unwrap())
}

/// Interrupts when it is asked for the n-th time.
struct Stops(AtomicUsize);

impl Observer for Stops {
    fn stage(&self, _: &str, _: u64) {}
    fn progress(&self, _: u64) {}
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

#[test]
fn a_stopped_attack_goes_on_to_the_same_end() {
    let home = tempfile::tempdir().unwrap();
    for attack in attacks() {
        let name = attack.name();
        let mut work = WorkFile::at(&home.path().join(name)).every(Duration::ZERO);
        let mut runs = 0;
        // TAP and SEP train first, which asks 6 times and is done anew if it is stopped; a step of SEP asks twice.
        let trains = ["tap", "sep"].contains(&name);
        let noise = loop {
            runs += 1;
            assert!(runs < 100, "{name} does not get on");
            let patience = match (trains, runs) {
                (true, 1) => 9,
                _ if name == "sep" => 20,
                _ => 2,
            };
            let stops = Stops(AtomicUsize::new(patience));
            let noise =
                with_target(|target| attack.perturb_resumably(target, Seed(0), &mut work, &stops));
            match noise {
                Err(Error::Interrupted) => {}
                noise => break noise.unwrap(),
            }
        };
        assert!(runs > 1, "{name} was not stopped");
        assert_eq!(noise, perturb(&*attack, 0), "{name} after {runs} runs");
        let other = perturb_over(&*attack, 1, &mut work);
        assert_eq!(
            other,
            perturb(&*attack, 1),
            "{name}: a work file of another seed"
        );
        work.remove().unwrap();
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

fn perturb_over(attack: &dyn Attack, seed: u64, work: &mut WorkFile) -> Perturbation {
    with_target(|target| attack.perturb_resumably(target, Seed(seed), work, &Silent)).unwrap()
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let with = |threads, attack: &dyn Attack| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| perturb(attack, 0))
    };
    let mut all = attacks();
    for name in ["ar", "lsp", "ntga", "ops"] {
        all.push(named(name, Options::default()).unwrap());
    }
    for attack in all {
        assert_eq!(with(1, &*attack), with(2, &*attack), "{}", attack.name());
    }
}

#[test]
fn what_is_stored_keeps_the_budget_in_levels() {
    for attack in attacks() {
        let noise = perturb(&*attack, 0);
        for (storage, most) in [(Storage::Round, 8), (Storage::Truncate, 9)] {
            let mut measured = Measured::default();
            with_target(|target| {
                for row in 0..ROWS {
                    let mut rgb = target.image(row).to_vec();
                    apply(&mut rgb, noise.row(row), attack.budget(), storage).unwrap();
                    measured.add(target.image(row), &rgb);
                }
            });
            let levels = measured.linf_levels;
            assert!((1..=most).contains(&levels), "{} {levels}", attack.name());
        }
    }
}

#[test]
fn every_attack_says_its_settings_and_takes_a_larger_budget() {
    for name in NAMES {
        let attack = named(name, Options::default()).unwrap();
        assert_eq!(attack.name(), name);
        assert!(
            attack.settings().as_object().is_some_and(|s| !s.is_empty()),
            "{name}"
        );
        let larger = Options {
            budget: Some(if name == "ops" { 1.0 } else { 4.0 }),
            ..Options::default()
        };
        named(name, larger).unwrap();
    }
    assert_eq!(
        named("ops-class", Options::default()).unwrap().name(),
        "ops"
    );
}

#[test]
fn every_row_keeps_the_budget_and_the_seed_fixes_all() {
    for attack in attacks() {
        let name = attack.name();
        let noise = perturb(&*attack, 0);
        for row in 0..ROWS {
            attack.budget().check(noise.row(row)).unwrap();
            assert!(noise.row(row).iter().any(|&v| v != 0.0), "{name} {row}");
        }
        assert_eq!(noise, perturb(&*attack, 0), "{name}");
        assert_ne!(noise, perturb(&*attack, 1), "{name}");
    }
}

#[test]
fn class_wise_noise_is_one_for_a_class() {
    let mut attacks = attacks();
    attacks.retain(|attack| attack.name().ends_with("-class"));
    assert_eq!(attacks.len(), 2);
    for attack in attacks {
        let noise = perturb(&*attack, 0);
        // Clipping to the range of pixels shortens it where a pixel is black or white.
        let shared = |a: usize, b: usize| {
            let pairs = noise.row(a).iter().zip(noise.row(b));
            pairs.filter(|(a, b)| a == b).count() as f64 / (SIDE * SIDE * 3) as f64
        };
        assert!(shared(0, 3) > 0.9, "{} {}", attack.name(), shared(0, 3));
        assert!(shared(0, 1) < 0.7, "{} {}", attack.name(), shared(0, 1));
    }
}

#[test]
fn em_ends_when_its_network_makes_no_mistakes() {
    let done = Em {
        sweeps: 60,
        ..Em::new(0.3, false, Architecture::Small, Scale::Cpu)
    };
    assert!(perturb(&done, 0).converged);
}

#[test]
fn em_says_when_it_gave_up() {
    let given_up = Em {
        sweeps: 1,
        ..Em::new(1e-6, false, Architecture::Small, Scale::Cpu)
    };
    assert!(!perturb(&given_up, 0).converged);
}
