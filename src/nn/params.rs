//! Ordered, named parameters with PyTorch's names, shapes and default initialisation.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal, Uniform};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::{Result, Seed};

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every element is this value.
    Constant(f32),
    /// Uniform within plus or minus this bound.
    Uniform(f32),
    /// Normal with mean zero and deviation one.
    Normal,
}

impl Init {
    /// What PyTorch gives the weight and bias of a convolution whose outputs see `inputs` numbers each.
    pub fn fan_in(inputs: usize) -> Self {
        Self::Uniform((inputs.max(1) as f32).sqrt().recip())
    }
}

/// One named tensor of a network.
#[derive(Clone, Debug)]
pub struct Param {
    /// The name, as in a PyTorch `state_dict`.
    pub name: String,
    /// The value, shared with the layer that uses it.
    pub var: Var,
    /// False for running statistics, which no optimiser touches.
    pub trainable: bool,
}

/// The tensors of a network in the order of their creation.
#[derive(Clone, Debug)]
pub struct Params {
    seed: Seed,
    entries: Vec<Param>,
}

impl Params {
    /// No tensors yet; those to come start from streams of `seed`, one a name.
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            entries: Vec::new(),
        }
    }

    /// Creates a trainable tensor.
    ///
    /// # Errors
    /// If the tensor library refuses the shape.
    pub fn trainable(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Var> {
        self.create(name, shape, init, true)
    }

    /// Creates a tensor that no optimiser touches.
    ///
    /// # Errors
    /// If the tensor library refuses the shape.
    pub fn statistic(&mut self, name: &str, shape: &[usize], value: f32) -> Result<Var> {
        self.create(name, shape, Init::Constant(value), false)
    }

    fn create(&mut self, name: &str, shape: &[usize], init: Init, trainable: bool) -> Result<Var> {
        let mut rng = self.seed.stream(name, 0);
        let count = shape.iter().product();
        let values: Vec<f32> = match init {
            Init::Constant(value) => vec![value; count],
            Init::Normal => StandardNormal.sample_iter(rng).take(count).collect(),
            Init::Uniform(bound) => match Uniform::new_inclusive(-bound, bound) {
                Ok(uniform) => (0..count).map(|_| rng.sample(uniform)).collect(),
                Err(_) => vec![0.0; count],
            },
        };
        let var = Var::from_vec(values, shape, &Device::Cpu)?;
        self.entries.push(Param {
            name: name.into(),
            var: var.clone(),
            trainable,
        });
        Ok(var)
    }

    /// All tensors, in order.
    pub fn entries(&self) -> &[Param] {
        &self.entries
    }

    /// The trainable tensors, in order.
    pub fn trainables(&self) -> impl Iterator<Item = &Param> {
        self.entries.iter().filter(|param| param.trainable)
    }

    /// How many numbers are trained.
    pub fn count(&self) -> usize {
        self.trainables().map(|param| param.var.elem_count()).sum()
    }

    /// All tensors as safetensors bytes. `header` is stored as the metadata entry of that name: a single entry, since
    /// the format does not order several.
    ///
    /// # Errors
    /// If a value cannot be read back.
    pub fn to_safetensors(&self, (name, value): (&str, String)) -> Result<Vec<u8>> {
        let tensor = |param: &Param| {
            let shape = param.var.dims().to_vec();
            Ok((param.name.clone(), shape, values(&param.var)?))
        };
        serialized(self.entries.iter().map(tensor), (name, value))
    }

    /// Takes the values of all tensors from a file that must hold the same names and shapes, no fewer and no more.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn load(&self, file: &SafeTensors<'_>) -> Result<(), String> {
        let mut found: BTreeMap<String, TensorView<'_>> = file.tensors().into_iter().collect();
        for param in &self.entries {
            let name = &param.name;
            let view = found
                .remove(name)
                .ok_or_else(|| format!("tensor {name} is missing"))?;
            if view.dtype() != safetensors::Dtype::F32 || view.shape() != param.var.dims() {
                return Err(format!(
                    "tensor {name} is {:?} {:?}, expected F32 {:?}",
                    view.dtype(),
                    view.shape(),
                    param.var.dims()
                ));
            }
            let values = reals(&view);
            if values.iter().any(|value| !value.is_finite()) {
                return Err(format!("tensor {name} holds a number that is not finite"));
            }
            store(&param.var, values).map_err(|error| format!("tensor {name}: {error}"))?;
        }
        match found.keys().next() {
            Some(name) => Err(format!("tensor {name} is not part of this network")),
            None => Ok(()),
        }
    }
}

/// Tensors, each with its name and shape, as safetensors bytes with one metadata entry.
pub(super) fn serialized(
    tensors: impl Iterator<Item = Result<(String, Vec<usize>, Vec<f32>)>>,
    (entry, header): (&str, String),
) -> Result<Vec<u8>> {
    let mut buffers = Vec::new();
    for tensor in tensors {
        let (name, shape, values) = tensor?;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        buffers.push((name, shape, bytes.collect::<Vec<u8>>()));
    }
    let views = buffers.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes)?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let header = [(entry.to_owned(), header)].into_iter().collect();
    let bytes = views.and_then(|views| safetensors::serialize(views, Some(header)));
    Ok(bytes.map_err(candle_core::Error::from)?)
}

/// The numbers of a tensor of f32 on file.
pub(super) fn reals(view: &TensorView<'_>) -> Vec<f32> {
    let numbers = view.data().as_chunks().0.iter();
    numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// The numbers of a tensor in row-major order.
pub(super) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// Replaces the numbers of a variable.
pub(super) fn store(var: &Var, values: Vec<f32>) -> Result<()> {
    Ok(var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?)
}
