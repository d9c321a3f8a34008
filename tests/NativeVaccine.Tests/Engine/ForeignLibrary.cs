using System.Diagnostics;

namespace NativeVaccine.Tests.Engine;

/// <summary>Makes real shared libraries that are not this program's engine.</summary>
internal static class ForeignLibrary
{
    /// <summary>The path of a compiler; null if there is none.</summary>
    public static string? Compiler { get; } = OperatingSystem.IsWindows()
        ? null
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .SelectMany(static folder => new[] { Path.Combine(folder, "cc"), Path.Combine(folder, "c++") })
            .FirstOrDefault(File.Exists);

    /// <summary>Compiles a library whose vaccine_abi_version is this one.</summary>
    public static void Compile(string library, uint abiVersion)
    {
        string source = Path.ChangeExtension(library, ".c");
        File.WriteAllText(source, FormattableString.Invariant($"unsigned vaccine_abi_version(void) {{ return {abiVersion}u; }}\n"));
        using Process compiler = Process.Start(Compiler!, ["-shared", "-fPIC", "-x", "c", "-o", library, source]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
    }
}
