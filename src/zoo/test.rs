//! What a classifier gets right.

use serde::Serialize;

use super::{Classifier, Samples};
use crate::Result;
use crate::nn::Mode;
use crate::observe::Observer;
use crate::stats::quotient;

/// The answers of a classifier compared with the labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    /// Images labelled with the row's class and taken for the column's.
    pub confusion: Vec<Vec<usize>>,
}

impl Evaluation {
    /// Lets `classifier` answer for all `samples`, without augmentation. Of equal logits the first class is the answer.
    ///
    /// # Errors
    /// If the shapes do not fit; [`Error::Interrupted`](crate::Error::Interrupted) when the observer says so.
    pub fn new(
        classifier: &dyn Classifier,
        samples: &Samples<'_>,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let mut confusion = vec![vec![0; samples.classes]; samples.classes];
        observer.stage("test", samples.len() as u64);
        let rows: Vec<usize> = (0..samples.len()).collect();
        samples.in_batches(&rows, observer, |rows, x| {
            let logits: Vec<Vec<f32>> = classifier.forward(x, Mode::Eval)?.to_vec2()?;
            for (&row, logits) in rows.iter().zip(&logits) {
                let answers = (0..logits.len()).rev();
                let answer = answers.max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
                confusion[samples.labels[row] as usize][answer.unwrap_or(0)] += 1;
            }
            observer.progress((rows[0] + rows.len()) as u64);
            Ok(())
        })?;
        Ok(Self { confusion })
    }

    /// Share of right answers; `None` without images.
    pub fn accuracy(&self) -> Option<f64> {
        let right = (0..self.confusion.len()).map(|class| self.confusion[class][class]);
        quotient(right.sum(), self.confusion.iter().flatten().sum())
    }

    /// Share of right answers among the images of each class; `None` for a class without images.
    pub fn class_accuracy(&self) -> Vec<Option<f64>> {
        let rows = self.confusion.iter().enumerate();
        rows.map(|(class, row)| quotient(row[class], row.iter().sum()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use candle_core::Tensor;
    use linfa::prelude::ToConfusionMatrix;
    use ndarray::Array1;

    use super::*;
    use crate::Seed;
    use crate::nn::params::Params;
    use crate::observe::Silent;
    use crate::zoo::Images;

    /// Takes an image for the class that its first number says, in hundredths.
    struct Reads(Params);

    impl Classifier for Reads {
        fn params(&self) -> &Params {
            &self.0
        }

        fn features(&self, x: &Tensor, _: Mode<'_>) -> Result<Tensor> {
            Ok(x.flatten_from(1)?.narrow(1, 0, 1)?)
        }

        fn head(&self, said: &Tensor, _: Mode<'_>) -> Result<Tensor> {
            let classes = Tensor::new(&[[0f32, 1.0, 2.0]], said.device())?;
            Ok((said * 100.0)?.broadcast_sub(&classes)?.abs()?.neg()?)
        }
    }

    #[test]
    fn counts_agree_with_linfa() {
        let said: Vec<usize> = (0..300).map(|row| row * 7 % 11 % 3).collect();
        let labels: Vec<usize> = (0..300).map(|row| row % 13 % 3).collect();
        let images: Vec<f32> = said
            .iter()
            .flat_map(|&class| [class as f32 / 100.0, 0.5, 0.5])
            .collect();
        let samples = Samples {
            height: 1,
            width: 1,
            images: Images::Reals(&images),
            labels: labels.iter().map(|&label| label as u32).collect(),
            classes: 4,
        };
        let reads = Reads(Params::new(Seed(0)));
        let evaluation = Evaluation::new(&reads, &samples, &Silent).unwrap();
        let (said, truth) = (Array1::from(said), Array1::from(labels));
        let theirs = said.confusion_matrix(&truth).unwrap();
        let accuracy = evaluation.accuracy().unwrap();
        assert!((accuracy - f64::from(theirs.accuracy())).abs() < 1e-6);
        let classes = evaluation.class_accuracy();
        for (class, accuracy) in classes.iter().enumerate().take(3) {
            let right = truth
                .iter()
                .zip(&said)
                .filter(|&(t, s)| *t == class && s == t);
            let all = truth.iter().filter(|&&t| t == class).count();
            assert_eq!(*accuracy, Some(right.count() as f64 / all as f64));
        }
        assert_eq!(classes[3], None, "a class without images");
    }
}
