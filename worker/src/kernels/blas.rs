//! The system's OpenBLAS: calls, checked.
#![expect(unsafe_code, reason = "foreign functions")]

use std::ffi::c_int;

use cblas_sys::{CBLAS_LAYOUT, CBLAS_TRANSPOSE, CBLAS_UPLO};
use fondaco_proto::{Error, Result};

use super::view::{Panel, PanelMut};

mod gemv;

pub use gemv::gemv;

unsafe extern "C" {
    fn openblas_set_num_threads(threads: c_int);
    fn openblas_get_corename() -> *const std::ffi::c_char;
}

/// Makes BLAS compute on its caller's thread alone; to be called before the first kernel. Threads above it are rayon's.
pub fn single_threaded() {
    // SAFETY: sets a number; takes OpenBLAS's own lock.
    unsafe { openblas_set_num_threads(1) }
}

/// The name of the CPU type whose kernels OpenBLAS chose.
pub fn core_name() -> String {
    // SAFETY: returns a static text with a terminating zero.
    unsafe { std::ffi::CStr::from_ptr(openblas_get_corename()) }.to_string_lossy().into_owned()
}

/// What becomes of the old contents of an output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// They are overwritten.
    Overwrite,
    /// They are added to.
    Add,
}

impl Into {
    fn beta(self) -> f64 {
        if self == Self::Add { 1.0 } else { 0.0 }
    }
}

fn int(extent: usize) -> Result<c_int> {
    c_int::try_from(extent).map_err(|_| Error::limit("a product's extents must be below 2^31"))
}

fn transpose(transposed: bool) -> CBLAS_TRANSPOSE {
    if transposed { CBLAS_TRANSPOSE::CblasTrans } else { CBLAS_TRANSPOSE::CblasNoTrans }
}

/// Whether so many cells hold a column-major block.
fn holds(len: usize, stride: usize, rows: usize, columns: usize) -> bool {
    rows == 0 || columns == 0 || (stride >= rows && (columns - 1).saturating_mul(stride).saturating_add(rows) <= len)
}

fn check(fits: bool) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::internal("a panel is smaller than its extents")) }
}

fn panel_holds(a: &Panel<'_>) -> bool {
    let (rows, columns) = if a.transposed { (a.columns, a.rows) } else { (a.rows, a.columns) };
    holds(a.data.len(), a.stride, rows, columns)
}

fn fill(c: &mut PanelMut<'_>, value: f64) {
    for column in c.data.chunks_mut(c.stride).take(c.columns) {
        column[..c.rows].fill(value);
    }
}

/// `c = a @ b` or `c += a @ b`; `(m,k) · (k,n) → (m,n)`. NaN and infinities propagate as in NumPy.
///
/// # Errors
/// `Limit` if an extent is beyond 2^31.
pub fn gemm(a: Panel<'_>, b: Panel<'_>, c: &mut PanelMut<'_>, into: Into) -> Result<()> {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    check(b.rows == k && c.rows == m && c.columns == n)?;
    check(panel_holds(&a) && panel_holds(&b) && holds(c.data.len(), c.stride, m, n))?;
    if m == 0 || n == 0 {
        return Ok(());
    }
    // Not left to `beta`: these add, and OpenBLAS's gemv may scale what was there, NaN included.
    if into == Into::Overwrite && (k == 0 || m == 1 || n == 1) {
        fill(c, 0.0);
    }
    if k == 0 {
        return Ok(());
    }
    if n == 1 {
        if !b.transposed {
            gemv(a, &b.data[..k], &mut c.data[..m]);
            return Ok(());
        }
        return strided_gemv(a, (b.data, b.stride), (&mut *c.data, 1));
    }
    if m == 1 {
        let step = if a.transposed { 1 } else { a.stride };
        let flipped = Panel { rows: b.columns, columns: b.rows, transposed: !b.transposed, ..b };
        if step == 1 && c.stride == 1 {
            gemv(flipped, &a.data[..k], &mut c.data[..n]);
            return Ok(());
        }
        return strided_gemv(flipped, (a.data, step), (&mut *c.data, c.stride));
    }
    let (m, n, k) = (int(m)?, int(n)?, int(k)?);
    let (lda, ldb, ldc) = (int(a.stride)?, int(b.stride)?, int(c.stride)?);
    // SAFETY: the slices hold the blocks that the extents and strides describe, as checked above.
    unsafe {
        cblas_sys::cblas_dgemm(
            CBLAS_LAYOUT::CblasColMajor,
            transpose(a.transposed),
            transpose(b.transposed),
            m,
            n,
            k,
            1.0,
            a.data.as_ptr(),
            lda,
            b.data.as_ptr(),
            ldb,
            into.beta(),
            c.data.as_mut_ptr(),
            ldc,
        );
    }
    Ok(())
}

/// `y += a @ x`; each vector is its cells and their distance.
fn strided_gemv(a: Panel<'_>, x: (&[f64], usize), y: (&mut [f64], usize)) -> Result<()> {
    let (rows, columns) = if a.transposed { (a.columns, a.rows) } else { (a.rows, a.columns) };
    let spans = |len: usize, step: usize, count: usize| step > 0 && (count - 1).saturating_mul(step) < len;
    check(panel_holds(&a) && spans(x.0.len(), x.1, a.columns) && spans(y.0.len(), y.1, a.rows))?;
    let (rows, columns, stride) = (int(rows)?, int(columns)?, int(a.stride)?);
    let (x_step, y_step) = (int(x.1)?, int(y.1)?);
    // SAFETY: the slices hold the block and the vectors that the extents and strides describe, as checked above.
    unsafe {
        cblas_sys::cblas_dgemv(
            CBLAS_LAYOUT::CblasColMajor,
            transpose(a.transposed),
            rows,
            columns,
            1.0,
            a.data.as_ptr(),
            stride,
            x.0.as_ptr(),
            x_step,
            1.0,
            y.0.as_mut_ptr(),
            y_step,
        );
    }
    Ok(())
}

/// Adds `a.T @ a` to the upper triangle of `c`; `a` is `(k,n)`, not transposed, `c` `(n,n)`.
///
/// # Errors
/// `Limit` if an extent is beyond 2^31.
pub fn syrk(a: Panel<'_>, c: &mut PanelMut<'_>) -> Result<()> {
    let (k, n) = (a.rows, a.columns);
    check(!a.transposed && c.rows == n && c.columns == n)?;
    check(panel_holds(&a) && holds(c.data.len(), c.stride, n, n))?;
    if n == 0 || k == 0 {
        return Ok(());
    }
    let (n, k, lda, ldc) = (int(n)?, int(k)?, int(a.stride)?, int(c.stride)?);
    // SAFETY: the slices hold the blocks that the extents and strides describe, as checked above.
    unsafe {
        cblas_sys::cblas_dsyrk(
            CBLAS_LAYOUT::CblasColMajor,
            CBLAS_UPLO::CblasUpper,
            CBLAS_TRANSPOSE::CblasTrans,
            n,
            k,
            1.0,
            a.data.as_ptr(),
            lda,
            1.0,
            c.data.as_mut_ptr(),
            ldc,
        );
    }
    Ok(())
}
