//! cuDNN's functions, loaded while the program runs, a handle for each device, and the descriptors of its graph interface.
//!
//! The numbers are those of `cudnn_graph.h` and `cudnn_version.h` of cuDNN 9. What makes the unsafe code sound: the
//! functions are called with the types of that header, every pointer lives during its call, and a descriptor is used
//! by the thread that created it.
#![allow(unsafe_code)]

use candle_core::cuda_backend::CudaDevice;
use candle_core::{Error, Result, bail};
use libloading::Library;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

/// An address on the host or the device, or of one of cuDNN's own objects.
pub(super) type Pointer = *mut c_void;

/// A connection to cuDNN, whose work is queued in the stream of a device and thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle {
    pointer: Pointer,
    /// The number of the device.
    pub device: usize,
}

thread_local! {
    /// The handles of this thread. They are never closed, as devices are not.
    static HANDLES: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
}

impl Handle {
    /// That of this thread for a device; `None` if cuDNN 9 is not installed, or does not work on it.
    pub fn of(device: &CudaDevice) -> Option<Handle> {
        let functions = Functions::loaded()?;
        let stream = device.cuda_stream();
        let number = stream.context().ordinal();
        let opened = |handles: &RefCell<Vec<Handle>>| {
            handles.borrow().iter().find(|handle| handle.device == number).copied()
        };
        if let Some(handle) = HANDLES.with(opened) {
            return (!handle.pointer.is_null()).then_some(handle);
        }
        stream.context().bind_to_thread().ok()?;
        let mut pointer = std::ptr::null_mut();
        // SAFETY: the pointer is written by the first call, and valid for the second if that succeeded.
        let works = unsafe {
            (functions.create)(&raw mut pointer) == SUCCESS
                && (functions.set_stream)(pointer, stream.cu_stream().cast()) == SUCCESS
        };
        // One that does not work is remembered as null, so that it is not tried at every call.
        let handle = Handle { pointer: if works { pointer } else { std::ptr::null_mut() }, device: number };
        HANDLES.with(|handles| handles.borrow_mut().push(handle));
        works.then_some(handle)
    }
}

/// An object of the graph interface: created, given its attributes, finished.
#[derive(Debug)]
pub(super) struct Descriptor {
    pointer: Pointer,
    functions: &'static Functions,
}

impl Descriptor {
    /// An unfinished object of a kind, one of `CUDNN_BACKEND_*_DESCRIPTOR`.
    pub fn new(kind: c_int) -> Result<Descriptor> {
        let Some(functions) = Functions::loaded() else { bail!("cuDNN is not installed") };
        let mut pointer = std::ptr::null_mut();
        // SAFETY: the call writes the pointer.
        check(unsafe { (functions.create_descriptor)(kind, &raw mut pointer) })?;
        Ok(Descriptor { pointer, functions })
    }

    /// Sets whole numbers, `CUDNN_TYPE_INT64`.
    pub fn numbers(self, attribute: c_int, values: &[i64]) -> Result<Descriptor> {
        self.set(attribute, 3, values)
    }

    /// Sets a number, `CUDNN_TYPE_FLOAT`.
    pub fn float(self, attribute: c_int, value: f32) -> Result<Descriptor> {
        self.set(attribute, 4, &[value])
    }

    /// Sets a truth value, `CUDNN_TYPE_BOOLEAN`.
    pub fn flag(self, attribute: c_int, value: bool) -> Result<Descriptor> {
        self.set(attribute, 2, &[value])
    }

    /// Sets a value of an enumeration; `kind` is that of the enumeration.
    pub fn choice(self, attribute: c_int, kind: c_int, value: c_int) -> Result<Descriptor> {
        self.set(attribute, kind, &[value])
    }

    /// Sets addresses, `CUDNN_TYPE_VOID_PTR`.
    pub fn pointers(self, attribute: c_int, values: &[Pointer]) -> Result<Descriptor> {
        self.set(attribute, 6, values)
    }

    /// Sets the handle, `CUDNN_TYPE_HANDLE`.
    pub fn handle(self, attribute: c_int, handle: Handle) -> Result<Descriptor> {
        self.set(attribute, 0, &[handle.pointer])
    }

    /// Sets other objects, `CUDNN_TYPE_BACKEND_DESCRIPTOR`. They must live as long as this one.
    pub fn parts(self, attribute: c_int, values: &[&Descriptor]) -> Result<Descriptor> {
        let pointers: Vec<Pointer> = values.iter().map(|value| value.pointer).collect();
        self.set(attribute, BACKEND_DESCRIPTOR, &pointers)
    }

    /// Completes the object: from here on it can be used.
    pub fn finish(self) -> Result<Descriptor> {
        // SAFETY: the pointer is this object's.
        check(unsafe { (self.functions.finalize)(self.pointer) })?;
        Ok(self)
    }

    /// A whole number of a finished object.
    pub fn number(&self, attribute: c_int) -> Result<i64> {
        let mut value = [0i64];
        self.get(attribute, 3, &mut value)?;
        Ok(value[0])
    }

    /// Values of an enumeration of a finished object, at most 16.
    pub fn choices(&self, attribute: c_int, kind: c_int) -> Result<Vec<c_int>> {
        let mut values = [0; 16];
        let count = self.get(attribute, kind, &mut values)?;
        Ok(values[..count.min(values.len())].to_vec())
    }

    /// Objects of a kind that a finished object has, all or the first `most`.
    pub fn children(&self, attribute: c_int, kind: c_int, most: usize) -> Result<Vec<Descriptor>> {
        let available = self.get::<Pointer>(attribute, BACKEND_DESCRIPTOR, &mut [])?;
        let mut children: Vec<Descriptor> =
            (0..available.min(most)).map(|_| Descriptor::new(kind)).collect::<Result<_>>()?;
        let mut pointers: Vec<Pointer> = children.iter().map(|child| child.pointer).collect();
        let written = self.get(attribute, BACKEND_DESCRIPTOR, &mut pointers)?;
        children.truncate(written);
        Ok(children)
    }

    /// Queues an execution plan with the operands of a variant pack.
    pub fn execute(&self, handle: Handle, pack: &Descriptor) -> Result<()> {
        // SAFETY: all three are valid; that the operands are large enough follows from the caller's checks.
        check(unsafe { (self.functions.execute)(handle.pointer, self.pointer, pack.pointer) })
    }

    fn set<T>(self, attribute: c_int, kind: c_int, values: &[T]) -> Result<Descriptor> {
        let (count, from) = (values.len() as i64, values.as_ptr().cast());
        // SAFETY: the call reads `count` values of the type that `kind` stands for.
        check(unsafe { (self.functions.set)(self.pointer, attribute, kind, count, from) })?;
        Ok(self)
    }

    /// Reads up to `to.len()` values; how many there are.
    fn get<T>(&self, attribute: c_int, kind: c_int, to: &mut [T]) -> Result<usize> {
        let mut count = 0;
        let (space, to) =
            (to.len() as i64, if to.is_empty() { std::ptr::null_mut() } else { to.as_mut_ptr().cast() });
        // SAFETY: the call writes at most `space` values of the type that `kind` stands for.
        check(unsafe { (self.functions.get)(self.pointer, attribute, kind, space, &raw mut count, to) })?;
        Ok(count.max(0) as usize)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the pointer is this object's, and not used again.
        unsafe { (self.functions.destroy_descriptor)(self.pointer) };
    }
}

const SUCCESS: c_int = 0;
/// `CUDNN_TYPE_BACKEND_DESCRIPTOR`
const BACKEND_DESCRIPTOR: c_int = 15;

#[cfg(windows)]
const NAMES: [&str; 1] = ["cudnn64_9.dll"];
#[cfg(not(windows))]
const NAMES: [&str; 2] = ["libcudnn.so.9", "libcudnn.so"];

/// The functions that are used. The library stays loaded.
#[derive(Debug)]
struct Functions {
    create: unsafe extern "C" fn(*mut Pointer) -> c_int,
    set_stream: unsafe extern "C" fn(Pointer, Pointer) -> c_int,
    create_descriptor: unsafe extern "C" fn(c_int, *mut Pointer) -> c_int,
    destroy_descriptor: unsafe extern "C" fn(Pointer) -> c_int,
    finalize: unsafe extern "C" fn(Pointer) -> c_int,
    set: unsafe extern "C" fn(Pointer, c_int, c_int, i64, *const c_void) -> c_int,
    get: unsafe extern "C" fn(Pointer, c_int, c_int, i64, *mut i64, *mut c_void) -> c_int,
    execute: unsafe extern "C" fn(Pointer, Pointer, Pointer) -> c_int,
}

impl Functions {
    fn loaded() -> Option<&'static Functions> {
        static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
        FUNCTIONS.get_or_init(Functions::load).as_ref()
    }

    fn load() -> Option<Functions> {
        // SAFETY: NVIDIA's library may be loaded from any thread.
        let library = NAMES.iter().find_map(|name| unsafe { Library::new(*name) }.ok())?;
        let library: &'static Library = Box::leak(Box::new(library));
        let version: unsafe extern "C" fn() -> usize = symbol(library, "cudnnGetVersion")?;
        // SAFETY: the function has no arguments.
        if !(90_000..100_000).contains(&unsafe { version() }) {
            return None;
        }
        Some(Functions {
            create: symbol(library, "cudnnCreate")?,
            set_stream: symbol(library, "cudnnSetStream")?,
            create_descriptor: symbol(library, "cudnnBackendCreateDescriptor")?,
            destroy_descriptor: symbol(library, "cudnnBackendDestroyDescriptor")?,
            finalize: symbol(library, "cudnnBackendFinalize")?,
            set: symbol(library, "cudnnBackendSetAttribute")?,
            get: symbol(library, "cudnnBackendGetAttribute")?,
            execute: symbol(library, "cudnnBackendExecute")?,
        })
    }
}

/// A function of the library, whose type must be that of the header.
fn symbol<T: Copy>(library: &'static Library, name: &str) -> Option<T> {
    // SAFETY: the type is declared beside the name, in `Functions`.
    unsafe { library.get::<T>(name.as_bytes()) }.ok().map(|symbol| *symbol)
}

fn check(status: c_int) -> Result<()> {
    match status {
        SUCCESS => Ok(()),
        status => Err(Error::Msg(format!("cuDNN returned status {status}"))),
    }
}
