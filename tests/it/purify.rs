//! The methods of `purify` that train: what was stopped goes on to the same bytes, and each step does what it says.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ue_audit::data::Dataset;
use ue_audit::dvae::DvaeConfig;
use ue_audit::observe::{Observer, Silent};
use ue_audit::purify::{Cure, Inference, Job, Purifier, Steps, Subtracted, TwoStage, Vae, discard};
use ue_audit::{Error, Seed, demo};

use crate::copies::files;

/// A D-VAE that trains in a second.
fn tiny() -> DvaeConfig {
    DvaeConfig {
        widths: [4, 4],
        latent: 4,
        epochs: 2,
        batch: 8,
        ..DvaeConfig::fast()
    }
}

fn block(
    purifier: &dyn Purifier,
    data: &Dataset,
    keep: Option<&Path>,
) -> ue_audit::Result<Vec<u8>> {
    let job = Job {
        seed: Seed(5),
        keep,
        observer: &Silent,
    };
    match purifier.purify(data, job)? {
        Cure::Block(pixels) => Ok(pixels),
        Cure::Picture(_) => panic!("a block was expected"),
    }
}

/// Interrupts once so many steps of all stages together are done.
struct Until {
    left: AtomicUsize,
}

impl Observer for Until {
    fn stage(&self, _: &str, _: u64) {}
    fn progress(&self, _: u64) {
        let less = |left: usize| Some(left.saturating_sub(1));
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
    fn note(&self, _: &str) {}
    fn interrupted(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

#[test]
fn what_is_stopped_anywhere_goes_on_to_the_same_bytes() {
    let data = demo::dataset(40, Seed(1));
    let method = TwoStage::new(tiny());
    let whole = block(&method, &data, None).unwrap();
    let home = tempfile::tempdir().unwrap();
    let keep = home.path().join("work");
    // 10 steps of the first stage, its use, 10 steps of the second, its use: five moments before, between and after.
    let mut kept = Vec::new();
    for steps in [1, 6, 12, 3, 11] {
        let job = Job {
            seed: Seed(5),
            keep: Some(&keep),
            observer: &Until {
                left: AtomicUsize::new(steps),
            },
        };
        let stopped = method.purify(&data, job);
        assert!(
            matches!(stopped, Err(Error::Interrupted)),
            "after {steps} steps"
        );
        kept.push(files(home.path()).len());
    }
    assert_eq!(kept, [0, 0, 1, 1, 2]);
    assert!(block(&method, &data, Some(&keep)).unwrap() == whole);
    discard(&keep).unwrap();
    assert!(!keep.exists());
}

#[test]
fn what_another_purification_has_kept_is_refused() {
    let data = demo::dataset(20, Seed(1));
    let home = tempfile::tempdir().unwrap();
    let method = Vae::new(tiny(), Inference::Mean);
    block(&method, &data, Some(home.path())).unwrap();
    let other = DvaeConfig {
        kld_limit: 2.0,
        ..tiny()
    };
    let other = Vae::new(other, Inference::Mean);
    let refused = block(&other, &data, Some(home.path()));
    assert!(matches!(refused, Err(Error::Checkpoint { .. })));
    let refused = block(&method, &demo::dataset(20, Seed(2)), Some(home.path()));
    assert!(matches!(refused, Err(Error::Checkpoint { .. })));
    fs::write(home.path().join("mine"), "mine").unwrap();
    discard(home.path()).unwrap();
    assert_eq!(files(home.path()).len(), 1, "only what was kept is removed");
}

/// Each variant of the ablation differs from the whole method and from the others, and does what its name says.
#[test]
fn ablations_leave_out_what_they_say() {
    let data = demo::dataset(24, Seed(1));
    let run = |steps| {
        let method = TwoStage {
            steps,
            ..TwoStage::new(tiny())
        };
        block(&method, &data, None)
    };
    let variants: Vec<Steps> = (1..=5)
        .map(|number| Steps::variant(number).unwrap())
        .collect();
    assert!(Steps::variant(0).is_none() && Steps::variant(6).is_none());
    let mut all: Vec<Vec<u8>> = variants.iter().map(|&steps| run(steps).unwrap()).collect();
    all.push(run(Steps::ALL).unwrap());
    for (i, a) in all.iter().enumerate() {
        for b in &all[..i] {
            assert!(a != b, "variant {i} is another");
        }
    }
    let idle = Steps {
        second_inference: false,
        third_inference: false,
        ..Steps::ALL
    };
    assert!(matches!(run(idle), Err(Error::Settings { .. })));
}

/// The hand-over between the stages, by hand: x1 is the truncation of x0 - p0, and the second model starts afresh.
#[test]
fn the_first_stage_subtracts_and_truncates() {
    use ue_audit::dvae::{Dvae, Latent};
    let data = demo::dataset(24, Seed(1));
    let home = tempfile::tempdir().unwrap();
    let first = TwoStage {
        steps: Steps::variant(3).unwrap(),
        ..TwoStage::new(tiny())
    };
    let x1 = block(&first, &data, Some(home.path())).unwrap();
    block(&TwoStage::new(tiny()), &data, Some(home.path())).unwrap();
    let [one, two] = ["stage-1", "stage-2"]
        .map(|name| Dvae::load(&home.path().join(name).with_extension("safetensors")).unwrap());
    assert_eq!(
        [&one, &two].map(|model| model.config().kld_limit),
        [1.0, 3.0]
    );
    assert_ne!(one.provenance().seed, two.provenance().seed);
    let by_hand = |latent| {
        let parts = one.apply(&data, latent, &Silent).unwrap();
        let less = data.pixels().iter().zip(parts.perturbation);
        let less = less.map(|(&x, p)| ((f32::from(x) / 255.0 - p).clamp(0.0, 1.0) * 255.0) as u8);
        less.collect::<Vec<u8>>()
    };
    let sampled = by_hand(Latent::Sampled(Seed(5).derive("purify.latent", 1)));
    assert!(sampled == x1);
    let of_means = TwoStage {
        inference: Inference::Mean,
        ..first
    };
    let x1 = block(&of_means, &data, Some(home.path())).unwrap();
    assert!(x1 == by_hand(Latent::Mean) && x1 != sampled);
}

/// Pictures of one shade, under noise of a few levels, with one white pixel that says the class.
fn spotted(rows: usize) -> (Dataset, Vec<u8>, [usize; 2]) {
    use rand::RngExt;
    const SIDE: usize = 8;
    let spots = [SIDE + 2, 5 * SIDE + 4];
    let labels: Vec<u32> = (0..rows as u32).map(|row| row % 2).collect();
    let rng = &mut Seed(3).stream("spotted", 0);
    let mut clean = Vec::new();
    for _ in 0..rows {
        let shade: u8 = rng.random_range(40..160);
        clean.extend((0..SIDE * SIDE * 3).map(|_| shade + rng.random_range(0..12u8)));
    }
    let mut pixels = clean.clone();
    for (row, picture) in pixels.chunks_mut(SIDE * SIDE * 3).enumerate() {
        let spot = 3 * spots[row % 2];
        picture[spot..spot + 3].fill(255);
    }
    let classes = ["a", "b"].map(String::from).into();
    let data = Dataset::from_pixels("spotted", "test", classes, (SIDE, SIDE), pixels, &labels);
    (data, clean, spots)
}

#[test]
fn what_is_loud_in_the_first_perturbation_alone_is_subtracted() {
    let (data, clean, spots) = spotted(200);
    let published = TwoStage::new(tiny());
    let labels = DvaeConfig {
        epochs: 40,
        energy_epoch: 8,
        kld_limit: 0.2,
        embedding_bound: Some(0.1),
        ..tiny()
    };
    let method = TwoStage {
        stages: [labels, published.stages[1].clone()],
        subtracted: Subtracted::Loud,
        steps: Steps::variant(3).unwrap(),
        inference: Inference::Mean,
    };
    let x1 = block(&method, &data, None).unwrap();
    let size = data.height * data.width * 3;
    let mut left = [0.0, 0.0];
    for (k, (&x, &y)) in data.pixels().iter().zip(&x1).enumerate() {
        let own = spots[k / size % 2];
        if k % size / 3 == own {
            left[0] += f64::from(x) - f64::from(clean[k]);
            left[1] += (f64::from(y) - f64::from(clean[k])).abs();
        } else {
            assert_eq!(x, y, "value {k} is no spot");
        }
    }
    assert!(left[1] < 0.5 * left[0], "{left:?}");
    let all = TwoStage {
        subtracted: Subtracted::All,
        ..method
    };
    let changed = block(&all, &data, None).unwrap();
    let changed = data.pixels().iter().zip(&changed).filter(|(x, y)| x != y);
    assert!(changed.count() > data.pixels().len() / 2);
}

/// x2 stays real between the second and the third inference, and x3 alone becomes bytes: by hand, with the models that were kept.
#[test]
fn the_second_stage_hands_on_reals() {
    use ue_audit::dvae::{Dvae, Latent};
    let data = demo::dataset(24, Seed(1));
    let home = tempfile::tempdir().unwrap();
    let whole = TwoStage {
        inference: Inference::Mean,
        ..TwoStage::new(tiny())
    };
    let first = TwoStage {
        steps: Steps::variant(3).unwrap(),
        ..whole.clone()
    };
    let x1 = block(&first, &data, Some(home.path())).unwrap();
    let x3 = block(&whole, &data, Some(home.path())).unwrap();
    let model = Dvae::load(&home.path().join("stage-2.safetensors")).unwrap();
    let between = data.with_pixels(x1.clone());
    let parts = model.apply(&between, Latent::Mean, &Silent).unwrap();
    let less = x1.iter().zip(parts.perturbation);
    let x2: Vec<f32> = less
        .map(|(&x, p)| (f32::from(x) / 255.0 - p).clamp(0.0, 1.0))
        .collect();
    let bytes =
        |values: Vec<f32>| -> Vec<u8> { values.iter().map(|v| (v * 255.0) as u8).collect() };
    let labels = data.labels();
    let again = |x: &[f32]| {
        let parts = model.apply_reals(x, &labels, Latent::Mean, 0).unwrap();
        bytes(parts.reconstruction)
    };
    assert!(x3 == again(&x2));
    let levels: Vec<f32> = x2.iter().map(|v| (v * 255.0).floor() / 255.0).collect();
    assert!(x3 != again(&levels), "bytes in between would show");
}
