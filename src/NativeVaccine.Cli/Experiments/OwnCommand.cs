using System.Reflection;

namespace NativeVaccine.Cli.Experiments;

/// <summary>How this program is started again by another process.</summary>
internal static class OwnCommand
{
    /// <summary>The words of a command line: the program as it runs now, and its arguments.</summary>
    public static string[] Words(params string[] arguments)
    {
        string program = Environment.ProcessPath ?? "nvaccine";
        bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return isHost ? [program, Assembly.GetExecutingAssembly().Location, .. arguments] : [program, .. arguments];
    }
}
