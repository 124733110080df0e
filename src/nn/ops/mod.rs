//! Differentiable operators on CPU tensors in NHWC layout, as candle custom operators with their own backward passes.
//! Each function takes the [`Mode`](super::Mode) that says whether the operator is recorded for a backward pass.
//!
//! Work is spread over the current rayon pool in parts whose size never depends on the number of threads, and partial
//! sums are added in the order of the parts: results are bit-identical at any thread count.

mod activation;
mod concat;
mod conv;
mod cross_entropy;
mod depthwise;
mod direct;
mod embedding;
mod exp;
mod gaussian;
mod linear;
mod loss;
mod lower;
mod moments;
mod norm;
mod parts;
mod peak;
mod pool;
mod products;
mod rectifier;
mod winograd;

use std::ops::Deref;

use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, Tensor, bail};

pub(super) use activation::add;
pub use activation::{add_relu, clamped_sum, sigmoid, sum};
pub use concat::concat_channels;
pub use conv::{Conv, conv_transpose2d, conv2d};
pub use cross_entropy::cross_entropy;
pub use depthwise::depthwise_conv2d;
pub use embedding::add_embedding;
pub use gaussian::{gaussian_kl, reparameterize};
pub use linear::linear;
pub use loss::{mean_square, mean_square_error};
pub use moments::Moments;
pub use norm::{batch_norm, batch_norm_frozen, instance_norm_relu};
pub use peak::peak_flops;
pub use pool::{average_pool2d, global_average_pool, global_max_pool, max_pool2d};
pub use rectifier::{relu, relu6};

/// Elements in one part of an element-wise operator.
const PART: usize = 1 << 15;

/// The numbers behind a contiguous `f32` storage.
fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("operator needs a contiguous tensor, got {layout:?}"),
    }
}

/// Read access to a tensor's numbers, for backward passes.
struct Reader<'a> {
    storage: Box<dyn Deref<Target = Storage> + 'a>,
    layout: &'a Layout,
}

impl<'a> Reader<'a> {
    fn new(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Self {
            storage: Box::new(storage),
            layout,
        }
    }

    fn slice(&self) -> Result<&[f32]> {
        match &**self.storage {
            Storage::Cpu(storage) => contiguous(storage, self.layout),
            _ => bail!("operator runs on the CPU only"),
        }
    }
}

/// A result of a forward pass.
fn output(values: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(values), shape.into()))
}

/// A gradient shaped like `like`.
fn gradient(values: Vec<f32>, like: &Tensor) -> Result<Option<Tensor>> {
    Tensor::from_vec(values, like.shape(), &Device::Cpu).map(Some)
}

/// The single number in a rank-0 gradient.
fn scalar(tensor: &Tensor) -> Result<f32> {
    tensor.to_dtype(DType::F32)?.to_scalar()
}
