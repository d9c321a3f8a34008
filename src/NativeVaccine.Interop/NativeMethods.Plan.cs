using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

internal static partial class NativeMethods
{
    [LibraryImport(Library, EntryPoint = "vaccine_plan_create"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus PlanCreate(
        DeviceHandle device, in NativeModelShape shape, in NativePlanOptions options, out PlanHandle plan);

    [LibraryImport(Library, EntryPoint = "vaccine_plan_create_for_gpu"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus PlanCreateForGpu(in NativeModelShape shape, in NativePlanOptions options, out PlanHandle plan);

    [LibraryImport(Library, EntryPoint = "vaccine_plan_destroy"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial void PlanDestroy(nint plan);

    [LibraryImport(Library, EntryPoint = "vaccine_plan_get_summary"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus PlanGetSummary(PlanHandle plan, ref NativePlanSummary summary);

    [LibraryImport(Library, EntryPoint = "vaccine_plan_get_item"), UnmanagedCallConv(CallConvs = [typeof(CallConvCdecl)])]
    public static partial NativeStatus PlanGetItem(PlanHandle plan, int index, ref NativePlanItem item);
}
