//! Reverse-mode differentiation over the operators of this crate.
//!
//! candle's own backward pass adds every gradient to a fresh tensor of zeros, on a spinning thread pool that knows neither
//! rayon nor the user's thread count. Here a gradient is moved to where it belongs, and added only where two meet.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use candle_core::{CustomOp1, CustomOp2, CustomOp3, Device, Result, Tensor, TensorId};

use super::Precision;
use super::ops::add;

/// The operators of one forward pass in the order of their execution.
#[derive(Default)]
pub struct Tape {
    records: RefCell<Vec<Record>>,
    /// The outputs of all records.
    made: RefCell<HashSet<TensorId>>,
    flops: Cell<u64>,
    precision: Precision,
}

struct Record {
    op: Op,
    /// What it was made from and what it made: those that are not needed only by their names, so that their memory can go.
    inputs: Vec<Held>,
    output: Held,
}

enum Op {
    One(Box<dyn CustomOp1>),
    Two(Box<dyn CustomOp2>),
    Three(Box<dyn CustomOp3>),
}

/// What the backward pass of an operator reads, beside the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Inputs and output.
    All,
    /// The inputs alone; in place of the output it gets the first of them.
    Inputs,
    /// The output alone; it gets that in place of the inputs, too.
    Output,
}

struct Held {
    id: TensorId,
    tensor: Option<Tensor>,
}

impl Held {
    fn new(tensor: &Tensor, needed: bool) -> Self {
        Self {
            id: tensor.id(),
            tensor: needed.then(|| tensor.clone()),
        }
    }
}

impl Record {
    /// The gradients of the inputs from that of the output.
    fn backward(&self, gradient: &Tensor) -> Result<Vec<(TensorId, Option<Tensor>)>> {
        let first = || self.inputs.first().and_then(|held| held.tensor.as_ref());
        let output = self.output.tensor.as_ref().or_else(first);
        let output = output.unwrap_or(gradient);
        let input = |at: usize| self.inputs[at].tensor.as_ref().unwrap_or(output);
        let gradients = match &self.op {
            Op::One(op) => vec![op.bwd(input(0), output, gradient)?],
            Op::Two(op) => {
                let (a, b) = op.bwd(input(0), input(1), output, gradient)?;
                vec![a, b]
            }
            Op::Three(op) => {
                let (a, b, c) = op.bwd(input(0), input(1), input(2), output, gradient)?;
                vec![a, b, c]
            }
        };
        let ids = self.inputs.iter().map(|held| held.id);
        Ok(ids.zip(gradients).collect())
    }
}

/// Gradients of the tensors that a pass depends on.
#[derive(Default)]
pub struct Gradients(HashMap<TensorId, Tensor>);

impl Tape {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty tape, on which convolutions multiply numbers of `precision`.
    pub fn with_precision(precision: Precision) -> Self {
        Self {
            precision,
            ..Self::default()
        }
    }

    /// True where a gradient of `tensor` is wanted: it is a variable or was made on this tape.
    fn tracks(&self, tensor: &Tensor) -> bool {
        tensor.is_variable() || self.made.borrow().contains(&tensor.id())
    }

    /// Floating-point operations of the matrix products recorded so far and of their backward passes: two for each
    /// multiply-add of the definition, whichever algorithm runs it. Element-wise work is not counted.
    pub fn flops(&self) -> u64 {
        self.flops.get()
    }

    fn record(&self, op: Op, needs: Needs, inputs: &[&Tensor], output: &Tensor) {
        self.made.borrow_mut().insert(output.id());
        let held = |tensor: &&Tensor| Held::new(tensor, needs != Needs::Output);
        self.records.borrow_mut().push(Record {
            op,
            inputs: inputs.iter().map(held).collect(),
            output: Held::new(output, needs != Needs::Inputs),
        });
    }

    /// Gradients of the sum of `terms`, scalars with their weights.
    ///
    /// # Errors
    /// If an operator's backward pass fails.
    pub fn gradients(self, terms: &[(Tensor, f64)]) -> Result<Gradients> {
        let mut gradients = Gradients::default();
        for (term, weight) in terms {
            gradients.add(term.id(), Tensor::new(*weight as f32, &Device::Cpu)?)?;
        }
        for record in self.records.into_inner().into_iter().rev() {
            let Some(gradient) = gradients.0.remove(&record.output.id) else {
                continue;
            };
            for (input, gradient) in record.backward(&gradient)? {
                if let Some(gradient) = gradient {
                    gradients.add(input, gradient)?;
                }
            }
        }
        Ok(gradients)
    }
}

impl Gradients {
    /// The gradient of a variable; `None` where the pass does not depend on it.
    pub fn get(&self, variable: &Tensor) -> Option<&Tensor> {
        self.0.get(&variable.id())
    }

    fn add(&mut self, tensor: TensorId, gradient: Tensor) -> Result<()> {
        let sum = match self.0.remove(&tensor) {
            Some(present) => add(&present, &gradient)?,
            None => gradient,
        };
        self.0.insert(tensor, sum);
        Ok(())
    }
}

/// Whether a forward pass learns.
#[derive(Clone, Copy)]
pub enum Mode<'a> {
    /// Batch statistics are used and folded into the running ones; operators are recorded.
    Train(&'a Tape),
    /// Running statistics are used and operators are recorded, for the gradient of the images through a network that
    /// stays as it is. Gradients of weights are not to be relied on: convolutions spare themselves theirs.
    Frozen(&'a Tape),
    /// Running statistics are used and nothing is recorded, so that activations are freed at once.
    Eval,
}

impl<'a> Mode<'a> {
    /// What records the operators.
    fn tape(self) -> Option<&'a Tape> {
        match self {
            Self::Train(tape) | Self::Frozen(tape) => Some(tape),
            Self::Eval => None,
        }
    }

    /// True where a gradient of `tensor` will be asked for: it is a variable, or was made from one.
    pub fn tracks(self, tensor: &Tensor) -> bool {
        self.tape().is_some_and(|tape| tape.tracks(tensor))
    }

    /// True where gradients of weights will be asked for.
    pub(super) fn learns(self) -> bool {
        matches!(self, Self::Train(_))
    }

    /// What convolutions multiply.
    pub(super) fn precision(self) -> Precision {
        self.tape()
            .map_or_else(Precision::default, |tape| tape.precision)
    }

    /// Counts an operator whose forward pass is `multiply_adds` of a matrix product; each gradient costs as many, that of
    /// the weights where the network learns, that of the input where it `is_tracked`.
    pub(super) fn count(self, multiply_adds: usize, is_tracked: bool) {
        if let Some(tape) = self.tape() {
            let passes = 1 + u64::from(self.learns()) + u64::from(is_tracked);
            let flops = 2 * multiply_adds as u64 * passes;
            tape.flops.set(tape.flops.get() + flops);
        }
    }

    pub(super) fn apply1(
        self,
        x: &Tensor,
        needs: Needs,
        op: impl CustomOp1 + 'static,
    ) -> Result<Tensor> {
        let output = x.apply_op1_no_bwd(&op)?;
        if let Some(tape) = self.tape() {
            tape.record(Op::One(Box::new(op)), needs, &[x], &output);
        }
        Ok(output)
    }

    pub(super) fn apply2(
        self,
        x: &Tensor,
        y: &Tensor,
        needs: Needs,
        op: impl CustomOp2 + 'static,
    ) -> Result<Tensor> {
        let output = x.apply_op2_no_bwd(y, &op)?;
        if let Some(tape) = self.tape() {
            tape.record(Op::Two(Box::new(op)), needs, &[x, y], &output);
        }
        Ok(output)
    }

    pub(super) fn apply3(
        self,
        [x, y, z]: [&Tensor; 3],
        needs: Needs,
        op: impl CustomOp3 + 'static,
    ) -> Result<Tensor> {
        let output = x.apply_op3_no_bwd(y, z, &op)?;
        if let Some(tape) = self.tape() {
            tape.record(Op::Three(Box::new(op)), needs, &[x, y, z], &output);
        }
        Ok(output)
    }
}
