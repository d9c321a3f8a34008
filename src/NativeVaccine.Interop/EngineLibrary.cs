using System.Runtime.InteropServices;

namespace NativeVaccine.Interop;

/// <summary>
/// Finds and loads the engine. There is one library for CPUs and one for NVIDIA GPUs with the same functions; a process uses one of them,
/// the one that its first device asked for.
/// </summary>
internal static class EngineLibrary
{
    /// <summary>VACCINE_ABI_VERSION of the header that <see cref="NativeMethods"/> mirrors.</summary>
    public const uint ExpectedAbiVersion = 8;

    /// <summary>
    /// For developers: the path of a library to load instead of looking for one. Its file name says which variant it is for, where it has
    /// the name that the build gave it.
    /// </summary>
    public const string PathVariable = "NATIVEVACCINE_LIBRARY";

    /// <summary>The engines, and how each is built.</summary>
    private static readonly Dictionary<string, string> Variants = new()
    {
        ["cpu"] = "dotnet build -c Release (needs CMake 3.21 and a C++17 compiler)",
        ["cuda"] = "dotnet build -c Release -p:Cuda=true (needs CUDA 11.8 or later)",
    };

    private static readonly Lock Gate = new();
    private static string? chosenVariant;
    private static nint chosenLibrary;

    /// <summary>Loads the library of a variant, "cpu" or "cuda", for the rest of the process; again is nothing.</summary>
    /// <exception cref="NativeLibraryException">It was not found, it cannot be used, or the process uses the other one.</exception>
    public static void Choose(string variant)
    {
        lock (Gate)
        {
            if (chosenVariant == variant) return;
            if (chosenVariant is not null)
            {
                throw new NativeLibraryException(
                    $"device '{variant}': this process runs the {chosenVariant} engine already; expected devices of one kind in a process");
            }
            chosenLibrary = Load(variant, Candidates(variant));
            chosenVariant = variant;
            NativeLibrary.SetDllImportResolver(
                typeof(NativeMethods).Assembly, static (name, _, _) => name == NativeMethods.Library ? chosenLibrary : 0);
        }
    }

    /// <summary>Loads the library of a variant for the rest of the process, unless it uses one already.</summary>
    /// <exception cref="NativeLibraryException">It was not found, or it cannot be used.</exception>
    public static void ChooseUnlessChosen(string variant)
    {
        lock (Gate) Choose(chosenVariant ?? variant);
    }

    /// <summary>Loads the library of a variant without choosing it; 0 if there is none.</summary>
    /// <exception cref="NativeLibraryException">It is there but cannot be used.</exception>
    public static nint Probe(string variant)
    {
        IReadOnlyList<string> candidates = Candidates(variant);
        lock (Gate)
        {
            if (chosenVariant == variant) return chosenLibrary;
        }
        return candidates.Any(File.Exists) || NativeLibrary.TryLoad(FileName(variant), out _) ? Load(variant, candidates) : 0;
    }

    /// <summary>Where the library of a variant may lie, first choice first.</summary>
    public static IReadOnlyList<string> Candidates(string variant)
    {
        if (Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } path && !IsOfAnother(path, variant)) return [path];
        string file = FileName(variant);
        var runtimes = new[] { RuntimeInformation.RuntimeIdentifier, PortableRuntimeIdentifier() }.Distinct();
        return
        [
            .. runtimes.Select(identifier => Path.Combine(AppContext.BaseDirectory, "runtimes", identifier, "native", file)),
            Path.Combine(AppContext.BaseDirectory, file),
        ];
    }

    /// <summary>Loads the first candidate that exists, else what the system finds by its file name, and checks its version.</summary>
    /// <exception cref="NativeLibraryException">None is there, or the first that is cannot be used.</exception>
    public static nint Load(string variant, IReadOnlyList<string> candidates)
    {
        string? path = candidates.FirstOrDefault(File.Exists);
        if (path is null && NativeLibrary.TryLoad(FileName(variant), out nint found)) return RequireVersion(found, FileName(variant));
        if (path is null)
            throw NotFound(variant, candidates);
        nint library;
        try
        {
            library = NativeLibrary.Load(path);
        }
        catch (Exception failure) when (failure is DllNotFoundException or BadImageFormatException)
        {
            throw new NativeLibraryException($"{path}: cannot be loaded as the {variant} engine: {FirstLine(failure.Message)}");
        }
        return RequireVersion(library, path);
    }

    /// <summary>Throws unless the library speaks the version of the ABI that this program was made for.</summary>
    public static void RequireVersion(uint version, string path)
    {
        if (version == ExpectedAbiVersion) return;
        throw new NativeLibraryException(
            $"{path}: has ABI version {version}; this program expects {ExpectedAbiVersion}, so one of the two is older");
    }

    private static unsafe nint RequireVersion(nint library, string path)
    {
        if (!NativeLibrary.TryGetExport(library, "vaccine_abi_version", out nint function))
            throw new NativeLibraryException($"{path}: is not a NativeVaccine engine; expected a library that this program was built with");
        RequireVersion(((delegate* unmanaged[Cdecl]<uint>)function)(), path);
        return library;
    }

    /// <summary>Says how a variant is built, and where its library was looked for.</summary>
    internal static NativeLibraryException NotFound(string variant, IReadOnlyList<string> candidates) =>
        new($"the {variant} engine was not found; {Advice(variant)}looked for {string.Join(", ", candidates)}");

    private static string Advice(string variant) => Variants.TryGetValue(variant, out string? build) ? $"build it with: {build}; " : "";

    private static bool IsOfAnother(string path, string variant) =>
        Variants.Keys.Any(other => other != variant && Path.GetFileName(path) == FileName(other));

    private static string FileName(string variant) =>
        OperatingSystem.IsWindows() ? $"nativevaccine_{variant}.dll"
        : OperatingSystem.IsMacOS() ? $"libnativevaccine_{variant}.dylib"
        : $"libnativevaccine_{variant}.so";

    private static string PortableRuntimeIdentifier()
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        string architecture = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => "x64",
            Architecture.Arm64 => "arm64",
            _ => "unknown",
        };
        return $"{system}-{architecture}";
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0].TrimEnd();
}
