using NativeVaccine.Cli.Options;

namespace NativeVaccine.Tests.Cli;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("24GiB", 24L << 30)]
    [InlineData("1.5 gib", 3L << 29)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("4096B", 4096)]
    [InlineData("0", 0)]
    public void SizesAreRead(string text, long expected)
    {
        Assert.True(ByteSize.TryParse(text, out long bytes));
        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("GiB")]
    [InlineData("-1GiB")]
    [InlineData("24GB")]
    [InlineData("24")]
    [InlineData("nan")]
    [InlineData("99999999999TiB")]
    public void OtherTextIsNoSize(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "0.98 KiB")]
    [InlineData(13L << 30, "13.0 GiB")]
    [InlineData(1L << 40, "1.00 TiB")]
    public void SizesAreWrittenWithThreeDigits(long bytes, string expected) => Assert.Equal(expected, ByteSize.Format(bytes));
}
