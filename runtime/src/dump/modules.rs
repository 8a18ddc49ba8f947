//! The loaded objects, and what their unwind tables say: how to get from a frame to its caller.
//!
//! The loader lists them under its lock, so none is unloaded while its tables are copied; afterwards only the copies are used. They are kept for the
//! next dump, until the loader says that something was loaded or unloaded.

use core::ffi::{CStr, c_int, c_void};
use core::ops::Range;
use core::slice;
use framehop::{ExplicitModuleSectionInfo, Module, Unwinder as _, UnwinderNative};

/// What knows how to get from a frame to its caller.
pub(super) type Unwinder = UnwinderNative<Vec<u8>, framehop::MayAllocateDuringUnwind>;

/// The loaded objects of one time.
pub(super) struct Modules {
    pub(super) unwinder: Unwinder,
    /// Where code lies.
    code: Vec<Range<u64>>,
    /// How often objects have been loaded and unloaded.
    version: (u64, u64),
}

impl Modules {
    /// Those of now; `known` are those of a time before.
    pub(super) fn now(known: Option<Self>) -> Self {
        let mut version = (0, 0);
        iterate(&mut |info: &libc::dl_phdr_info| {
            version = (info.dlpi_adds, info.dlpi_subs);
            false
        });
        if let Some(known) = known.filter(|known| known.version == version) {
            return known;
        }
        let mut modules = Self { unwinder: Unwinder::new(), code: Vec::new(), version };
        iterate(&mut |info: &libc::dl_phdr_info| {
            modules.version = (info.dlpi_adds, info.dlpi_subs);
            modules.add(info);
            true
        });
        modules
    }

    /// How often objects had been loaded and unloaded.
    pub(super) fn version(&self) -> (u64, u64) {
        self.version
    }

    /// Whether `address` is one of code.
    pub(super) fn is_code(&self, address: u64) -> bool {
        self.code.iter().any(|range| range.contains(&address))
    }

    fn add(&mut self, info: &libc::dl_phdr_info) {
        if info.dlpi_phdr.is_null() {
            return;
        }
        // SAFETY: the loader gives the table of an object that stays loaded during the call.
        let headers = unsafe { slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let base = info.dlpi_addr;
        let loads = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let extent = |header: &libc::Elf64_Phdr| header.p_vaddr..header.p_vaddr + header.p_memsz;
        let (Some(start), Some(end)) = (loads().map(|h| extent(h).start).min(), loads().map(|h| extent(h).end).max())
        else {
            return;
        };
        for header in loads().filter(|header| header.p_flags & libc::PF_X != 0) {
            self.code.push(base + extent(header).start..base + extent(header).end);
        }
        let index = headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME).map(extent);
        let segment = |address: u64| loads().map(extent).find(|extent| extent.contains(&address));
        // SAFETY: the range lies in a loaded segment that can be read, of an object that stays loaded during the call.
        let copy = |range: &Range<u64>| unsafe {
            let address = core::ptr::with_exposed_provenance((base + range.start) as usize);
            slice::from_raw_parts::<u8>(address, (range.end - range.start) as usize).to_vec()
        };
        let Some(index) = index.filter(|index| index.end - index.start >= 8 && segment(index.start).is_some()) else {
            return;
        };
        let hdr = copy(&index);
        let Some(tables) = tables_of(&hdr, index.start) else { return };
        let Some(tables) = segment(tables).map(|segment| tables..segment.end) else { return };
        let sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            eh_frame: Some(copy(&tables)),
            eh_frame_svma: Some(tables),
            eh_frame_hdr: Some(hdr),
            eh_frame_hdr_svma: Some(index),
            ..Default::default()
        };
        // SAFETY: null, or a C string of the loader's.
        let name = (!info.dlpi_name.is_null()).then(|| unsafe { CStr::from_ptr(info.dlpi_name) });
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.unwinder.add_module(Module::new(name, base + start..base + end, base, sections));
    }
}

/// Where the unwind tables begin, as the index at `address` says: in the one way that all linkers write it, relative to that very field.
fn tables_of(index: &[u8], address: u64) -> Option<u64> {
    const VERSION: u8 = 1;
    /// `DW_EH_PE_pcrel | DW_EH_PE_sdata4`.
    const RELATIVE: u8 = 0x1b;
    let [VERSION, RELATIVE, _, _, field @ ..] = index else { return None };
    let distance = i32::from_ne_bytes(*field.first_chunk()?);
    (address + 4).checked_add_signed(distance.into())
}

/// Calls `visit` for each loaded object until it says false.
fn iterate(visit: &mut dyn FnMut(&libc::dl_phdr_info) -> bool) {
    type Visit<'a> = &'a mut dyn FnMut(&libc::dl_phdr_info) -> bool;
    /// # Safety
    /// `visit` points to a `Visit`, and `info` is the loader's.
    unsafe extern "C" fn one(info: *mut libc::dl_phdr_info, _: libc::size_t, visit: *mut c_void) -> c_int {
        // SAFETY: by contract.
        let (info, visit) = unsafe { (&*info, &mut *visit.cast::<Visit<'_>>()) };
        c_int::from(!visit(info))
    }
    let mut visit: Visit<'_> = visit;
    // SAFETY: `one` gets what it asks for, and its closure does not unwind: it computes, copies and allocates.
    unsafe { libc::dl_iterate_phdr(Some(one), (&raw mut visit).cast()) };
}
