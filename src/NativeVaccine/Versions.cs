using System.Reflection;
using System.Runtime.InteropServices;

namespace NativeVaccine;

/// <summary>What made a result.</summary>
public static class Versions
{
    /// <summary>This program, the runtime and the system, by name.</summary>
    public static SortedDictionary<string, string> Current() => new(StringComparer.Ordinal)
    {
        ["nativevaccine"] = ProductVersion(),
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["system"] = RuntimeInformation.RuntimeIdentifier,
    };

    private static string ProductVersion() =>
        typeof(Versions).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
