//! The attacks that train a network, at a size that takes a moment: what must hold of each, however little it does.

use rand::RngExt;
use ue_audit::Seed;
use ue_audit::lab::attack::{Attack, Em, Perturbation, Rem, Scale, Sep, Tap, Target};
use ue_audit::observe::Silent;
use ue_audit::zoo::{Architecture, Recipe};

const SIDE: usize = 16;
const ROWS: usize = 30;
const CLASSES: usize = 3;
const RADIUS: f64 = 8.0 / 255.0;

fn attacks() -> Vec<Box<dyn Attack>> {
    let small = Architecture::Small;
    let em = |class_wise| Em {
        sweeps: 2,
        ..Em::new(RADIUS, class_wise, small, Scale::Cpu)
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
        Box::new(Rem {
            updates: 3,
            steps: 2,
            ..Rem::new(RADIUS, small, Scale::Cpu)
        }),
    ]
}

fn perturb(attack: &dyn Attack, seed: u64) -> Perturbation {
    let rng = &mut Seed(7).stream("pixels", 0);
    let pixels: Vec<u8> = (0..ROWS * SIDE * SIDE * 3).map(|_| rng.random()).collect();
    let labels: Vec<u32> = (0..ROWS).map(|k| (k % CLASSES) as u32).collect();
    let target = Target {
        height: SIDE,
        width: SIDE,
        labels: &labels,
        classes: CLASSES,
        pixels: &pixels,
    };
    attack.perturb(&target, Seed(seed), &Silent).unwrap()
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
    let attacks = attacks();
    let noise = perturb(&*attacks[1], 0);
    assert_eq!(attacks[1].name(), "em-class");
    // Clipping to the range of pixels shortens it where a pixel is black or white.
    let shared = |a: usize, b: usize| {
        let pairs = noise.row(a).iter().zip(noise.row(b));
        pairs.filter(|(a, b)| a == b).count() as f64 / (SIDE * SIDE * 3) as f64
    };
    assert!(shared(0, 3) > 0.9, "{}", shared(0, 3));
    assert!(shared(0, 1) < 0.5, "{}", shared(0, 1));
}

#[test]
fn em_says_when_it_gave_up() {
    let given_up = Em {
        sweeps: 1,
        ..Em::new(1e-6, false, Architecture::Small, Scale::Cpu)
    };
    assert!(!perturb(&given_up, 0).converged);
}
