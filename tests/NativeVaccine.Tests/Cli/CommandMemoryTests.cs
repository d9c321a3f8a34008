using System.Runtime.CompilerServices;
using NativeVaccine.Cli;
using NativeVaccine.Cli.Commands;
using NativeVaccine.Cli.Output;

namespace NativeVaccine.Tests.Cli;

/// <summary>An experiment runs thousands of command lines in one process: none may be kept.</summary>
public sealed class CommandMemoryTests
{
    [Fact]
    public void TheVerbsOfACommandLineAreGivenBack()
    {
        WeakReference[] roots = [.. Enumerable.Range(0, 3).Select(static _ => Root())];
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.All(roots, static root => Assert.False(root.IsAlive));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Root()
    {
        using Interruption interruption = Interruption.By(CancellationToken.None);
        return new WeakReference(Application.CreateRoot(new CommandContext(Terminal.Plain(TextWriter.Null, TextWriter.Null), interruption)));
    }
}
