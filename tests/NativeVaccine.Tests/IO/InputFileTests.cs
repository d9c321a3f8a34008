using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using NativeVaccine.IO;
using NativeVaccine.Models;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.IO;

/// <summary>What stands in the place of a file is named, whatever reads it.</summary>
public sealed class InputFileTests : IDisposable
{
    private const string Pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7160096\n";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string, string> StandIns => new()
    {
        { Pointer, "is a Git LFS pointer, not the file itself: run git lfs pull" },
        { "\n <!DOCTYPE HTML><html><body>Log in</body></html>", "is a web page, not the file itself" },
        { "\uFEFF<html>", "is a web page, not the file itself" },
        { "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "is a web page, not the file itself" },
        { "PK\x03\x04\x14\0\0\0", "is a zip archive; expected what is in it" },
        { "", "is empty" },
    };

    [Theory]
    [MemberData(nameof(StandIns))]
    public void AStandInIsNamed(string content, string expected)
    {
        foreach (string name in new[] { "a.json", "model.safetensors", "tokenizer.model" })
        {
            File.WriteAllText(folder.File(name), content);
            Refusal.Of(() => InputFile.Open(folder.File(name)), folder.File(name), expected);
            Refusal.Of(() => InputFile.ReadText(folder.File(name)), folder.File(name), expected);
            Refusal.Of(() => JsonFile.ReadObject(folder.File(name)), folder.File(name), expected);
            Refusal.Of(() => new SafetensorsReader(folder.File(name)).Dispose(), folder.File(name), expected);
        }
    }

    [Fact]
    public void ACompressedFileIsNamed()
    {
        string path = folder.File("data.json");
        using (var gzip = new GZipStream(File.Create(path), CompressionLevel.Fastest)) gzip.Write("{}"u8);
        Refusal.Of(() => InputFile.ReadText(path), path, "is compressed with gzip; expected it unpacked");
    }

    /// <summary>A header of 559,903 bytes has a length that begins as gzip does.</summary>
    [Fact]
    public void ASafetensorsFileMayBeginAsGzipDoes()
    {
        string path = folder.File("a.safetensors");
        File.WriteAllBytes(path, [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, (byte)'{']);
        InputFile.Open(path).Dispose();
    }

    [Fact]
    public void APromptMayBeAboutWebPages()
    {
        string path = folder.File("prompts.txt");
        File.WriteAllText(path, "<html> is what?");
        Assert.Equal(15, InputFile.ReadText(path).Length);
    }

    [Fact]
    public void AFolderAndADeviceAreNamed()
    {
        Refusal.Of(() => InputFile.Open(folder.Root), folder.Root, "is a folder; expected a file");
        Refusal.Of(() => InputFile.ReadText(folder.Root), folder.Root, "is a folder; expected a file or a pipe");
        if (!OperatingSystem.IsLinux()) return;
        Refusal.Of(() => InputFile.ReadText("/dev/zero"), "/dev/zero: is a device; expected a file or a pipe");
        Refusal.Of(() => InputFile.Open("/dev/zero"), "/dev/zero: is a device; expected a file");
    }

    [Fact]
    public async Task TextMayComeThroughAPipeButNotWeights()
    {
        if (!OperatingSystem.IsLinux()) return;
        string pipe = folder.File("pipe");
        Process.Start("mkfifo", [pipe]).WaitForExit();
        Refusal.Of(() => InputFile.Open(pipe), pipe, "is a pipe; expected a file");
        // Opening a pipe for writing waits for its reader, so it must not be this thread that does.
        Task writer = Task.Run(() => File.WriteAllText(pipe, "one\ntwo"));
        Assert.Equal("one\ntwo", Encoding.UTF8.GetString(InputFile.ReadText(pipe).Span));
        await writer;
    }

    [Fact]
    public void TextOfAnInsaneSizeIsRefusedBeforeItIsRead()
    {
        string path = folder.File("huge.jsonl");
        using (FileStream file = File.Create(path)) file.SetLength(1L << 40);
        Refusal.Of(() => InputFile.ReadText(path), path, "has more than 1 GiB of text");
        Refusal.Of(() => JsonFile.ReadObject(path), path, "1099511627776 bytes; expected at most");
    }

    [Fact]
    public void AValueOfManyLinesIsQuotedInOne()
    {
        using JsonDocument document = JsonDocument.Parse("{\"modules\": [\n    \"lm_head\",\n    \"größe \u001b[2J\"\n  ]}".Replace("\u001b", "\\u001b", StringComparison.Ordinal));
        var fields = new JsonFields("a.json", document.RootElement);
        Assert.Equal(
            "a.json: modules is [\"lm_head\",\"größe \\u001B[2J\"]; expected null",
            fields.Wrong("modules", document.RootElement.GetProperty("modules"), "null").Message);
    }

    [Theory]
    [InlineData("a\r\n\tb", "a b")]
    [InlineData("a\u001b[31mb\u0007", "a?[31mb?")]
    [InlineData("a\u202eb", "a?b")]
    [InlineData("🙂 ü 漢", "🙂 ü 漢")]
    public void AMessageIsOneLineWithoutControlCharacters(string text, string expected) => Assert.Equal(expected, InputText.Line(text));

    [Fact]
    public void HalfACharacterIsNotShown() => Assert.Equal("a?", InputText.Line("a\ud800"));
}
