using System.Globalization;
using System.Xml.Linq;
using NativeVaccine.IO;
using NativeVaccine.Reporting;
using SkiaSharp;

namespace NativeVaccine.Cli.Output;

/// <summary>
/// Writes the charts of a page as files: .svg and .png of each. The PNG is the SVG, drawn by Skia: the charts have six kinds of elements
/// (see <see cref="Figure.Drawing"/>), and for these a library that reads all of SVG would bring eight assemblies and natives for shaping text.
/// </summary>
internal static class PictureFiles
{
    /// <summary>Pixels for each unit of the drawing: text 36 pixels high, for paper and slides.</summary>
    private const float Scale = 3;

    private const float TextSize = 12;

    private static readonly Lazy<SKTypeface> Font = new(static () =>
    {
        // Machines that compute have no fonts, and this build of Skia asks none for them.
        using Stream stream = typeof(PictureFiles).Assembly.GetManifestResourceStream("picture-font.ttf")!;
        return SKTypeface.FromStream(stream);
    });

    /// <summary>Writes them.</summary>
    /// <param name="folder">Where; made if it is not there. Files of the same names are replaced.</param>
    /// <param name="figures">The charts.</param>
    /// <returns>How many files were written.</returns>
    /// <exception cref="InputException">A file cannot be written.</exception>
    public static int Write(string folder, IReadOnlyList<Figure> figures)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{folder}: cannot be made: {InputText.OneLine(exception.Message)}", exception);
        }
        foreach (Figure figure in figures)
        {
            AtomicFile.WriteAllText(Path.Combine(folder, figure.Name + ".svg"), figure.ToSvg());
            AtomicFile.WriteAllBytes(Path.Combine(folder, figure.Name + ".png"), Png(figure.Drawing()));
        }
        return 2 * figures.Count;
    }

    private static byte[] Png(XElement drawing)
    {
        var size = new SKImageInfo((int)Math.Ceiling(Number(drawing, "width") * Scale), (int)Math.Ceiling(Number(drawing, "height") * Scale));
        using var bitmap = new SKBitmap(size);
        using var canvas = new SKCanvas(bitmap);
        canvas.Scale(Scale);
        canvas.Translate(0, -float.Parse(drawing.Attribute("viewBox")!.Value.Split(' ')[1], CultureInfo.InvariantCulture));
        foreach (XElement element in drawing.Elements()) Draw(canvas, element);
        canvas.Flush();
        using SKData png = bitmap.Encode(SKEncodedImageFormat.Png, quality: 100);
        return png.ToArray();
    }

    private static void Draw(SKCanvas canvas, XElement element)
    {
        switch (element.Name.LocalName)
        {
            case "rect":
                var rect = SKRect.Create(Number(element, "x"), Number(element, "y"), Number(element, "width"), Number(element, "height"));
                Paint(element, paint => canvas.DrawRect(rect, paint));
                break;
            case "line":
                Paint(element, paint => canvas.DrawLine(Number(element, "x1"), Number(element, "y1"), Number(element, "x2"), Number(element, "y2"), paint));
                break;
            case "circle":
                Paint(element, paint => canvas.DrawCircle(Number(element, "cx"), Number(element, "cy"), Number(element, "r"), paint));
                break;
            case "path":
                using (SKPath path = SKPath.ParseSvgPathData(element.Attribute("d")!.Value)) Paint(element, paint => canvas.DrawPath(path, paint));
                break;
            case "text":
                DrawText(canvas, element);
                break;
            case "title":
                break;
            default:
                throw new InvalidOperationException($"a chart has an element {element.Name.LocalName}, which is not drawn");
        }
    }

    /// <summary>Fills first, then draws the outline, as SVG does.</summary>
    private static void Paint(XElement element, Action<SKPaint> draw)
    {
        using var paint = new SKPaint { IsAntialias = true };
        string fill = element.Attribute("fill")?.Value ?? "none";
        if (fill != "none")
        {
            float opacity = element.Attribute("fill-opacity") is null ? 1 : Number(element, "fill-opacity");
            paint.Color = SKColor.Parse(fill).WithAlpha((byte)Math.Round(opacity * 255));
            draw(paint);
        }
        if (element.Attribute("stroke")?.Value is not { } stroke) return;
        paint.Style = SKPaintStyle.Stroke;
        paint.Color = SKColor.Parse(stroke);
        paint.StrokeWidth = Number(element, "stroke-width");
        if (element.Attribute("stroke-linecap") is not null) (paint.StrokeCap, paint.StrokeJoin) = (SKStrokeCap.Round, SKStrokeJoin.Round);
        using SKPathEffect? dashes = element.Attribute("stroke-dasharray")?.Value is { } lengths
            ? SKPathEffect.CreateDash([.. lengths.Split(' ').Select(static length => float.Parse(length, CultureInfo.InvariantCulture))], 0)
            : null;
        paint.PathEffect = dashes;
        draw(paint);
    }

    /// <summary>Characters that the font lacks are taken from one of the machine's, if it has such a font.</summary>
    private static void DrawText(SKCanvas canvas, XElement element)
    {
        string text = element.Value;
        using var font = new SKFont(Font.Value, TextSize) { Subpixel = true };
        using SKTypeface? other = text.EnumerateRunes().Where(rune => font.GetGlyph(rune.Value) == 0)
            .Select(static rune => SKFontManager.Default.MatchCharacter(rune.Value)).FirstOrDefault(static found => found is not null);
        if (other is not null) font.Typeface = other;
        using var paint = new SKPaint { IsAntialias = true, Color = SKColor.Parse(element.Attribute("fill")!.Value) };
        SKTextAlign align = element.Attribute("text-anchor")!.Value switch
        {
            "middle" => SKTextAlign.Center,
            "end" => SKTextAlign.Right,
            _ => SKTextAlign.Left,
        };
        canvas.DrawText(text, Number(element, "x"), Number(element, "y"), align, font, paint);
    }

    private static float Number(XElement element, string attribute) =>
        element.Attribute(attribute) is { } value ? float.Parse(value.Value, CultureInfo.InvariantCulture) : 0;
}
