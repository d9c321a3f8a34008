using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace NativeVaccine.TorchReference;

/// <summary>
/// Loads TorchSharp's native library where the system's libstdc++ is older than the one it was linked against.
/// </summary>
/// <remarks>
/// <c>libLibTorchSharp.so</c> 0.107 asks for the symbol version GLIBCXX_3.4.32, which Debian 12 lacks, although it does without what that
/// version added. The runtime raises <see cref="AssemblyLoadContext.ResolvingUnmanagedDll"/> only after its own search has failed, so on a
/// newer system nothing here runs. Where it does run, a temporary copy is loaded in which that one need is marked weak: the dynamic linker
/// then warns at most.
/// </remarks>
internal static class TorchLoader
{
    private const string Library = "libLibTorchSharp.so";
    private const string MissingVersion = "GLIBCXX_3.4.32";

    // In the order of their dependencies; loaded by full path, they satisfy the needs of the copy, which lies in another folder.
    private static readonly string[] Dependencies = ["libc10.so", "libtorch_cpu.so", "libtorch.so"];

    private static readonly Lazy<nint> Handle = new(LoadRelaxedCopy);

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "The handler must stand before TorchSharp's first call, whichever type makes it.")]
    internal static void Register()
    {
        if (OperatingSystem.IsLinux())
            AssemblyLoadContext.Default.ResolvingUnmanagedDll +=
                static (_, name) => name.Contains("LibTorchSharp", StringComparison.Ordinal) ? Handle.Value : 0;
    }

    private static nint LoadRelaxedCopy()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native");
        byte[] image = File.ReadAllBytes(Path.Combine(folder, Library));
        if (!ElfVersionNeed.MarkWeak(image, MissingVersion))
            return 0;

        foreach (string dependency in Dependencies)
            NativeLibrary.Load(Path.Combine(folder, dependency));

        DirectoryInfo temporary = Directory.CreateTempSubdirectory("torch-reference-");
        try
        {
            string copy = Path.Combine(temporary.FullName, Library);
            File.WriteAllBytes(copy, image);
            return NativeLibrary.Load(copy);
        }
        finally
        {
            temporary.Delete(recursive: true); // The mapping outlives the name.
        }
    }
}

/// <summary>The table of needed symbol versions (<c>.gnu.version_r</c>) of a 64-bit little-endian ELF image.</summary>
/// <remarks>Layout: System V ABI, and the Linux Standard Base's chapter on symbol versioning (Elf64_Verneed, Elf64_Vernaux).</remarks>
internal static class ElfVersionNeed
{
    private const uint SectionTypeVersionNeed = 0x6ffffffe;
    private const byte FlagWeak = 2;

    /// <summary>Sets the weak flag of every need named <paramref name="version"/>; says whether there was one.</summary>
    public static bool MarkWeak(Span<byte> image, string version)
    {
        int table = Offset(image, 0x28);
        int entrySize = Half(image, 0x3A);
        int entries = Half(image, 0x3C);
        bool found = false;
        for (int entry = 0; entry < entries; entry++)
        {
            int section = table + (entry * entrySize);
            if ((uint)Word(image, section + 4) != SectionTypeVersionNeed)
                continue;
            int stringSection = table + (Word(image, section + 40) * entrySize);
            found |= MarkWeak(image, Offset(image, section + 24), Word(image, section + 44), Offset(image, stringSection + 24), version);
        }
        return found;
    }

    private static bool MarkWeak(Span<byte> image, int need, int needs, int strings, string version)
    {
        bool found = false;
        for (; needs > 0; needs--, need += Word(image, need + 12))
        {
            int versionNeed = need + Word(image, need + 8);
            for (int left = Half(image, need + 2); left > 0; left--, versionNeed += Word(image, versionNeed + 12))
            {
                ReadOnlySpan<byte> name = image[(strings + Word(image, versionNeed + 8))..];
                if (!System.Text.Ascii.Equals(name[..name.IndexOf((byte)0)], version))
                    continue;
                image[versionNeed + 4] |= FlagWeak;
                found = true;
            }
        }
        return found;
    }

    private static int Half(ReadOnlySpan<byte> image, int at) => BinaryPrimitives.ReadUInt16LittleEndian(image[at..]);

    private static int Word(ReadOnlySpan<byte> image, int at) => BinaryPrimitives.ReadInt32LittleEndian(image[at..]);

    private static int Offset(ReadOnlySpan<byte> image, int at) => checked((int)BinaryPrimitives.ReadInt64LittleEndian(image[at..]));
}
