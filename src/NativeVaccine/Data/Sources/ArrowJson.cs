using System.Text.Json;
using System.Text.Unicode;
using Apache.Arrow;
using NativeVaccine.IO;

namespace NativeVaccine.Data.Sources;

/// <summary>
/// Writes values of Arrow as JSON. Dates, times, decimals and bytes that are no text have no form in it and are null: no record is made of
/// them.
/// </summary>
internal static class ArrowJson
{
    /// <summary>One row as an object.</summary>
    /// <exception cref="InputException">A field holds no valid text, or broken JSON.</exception>
    public static void WriteRow(Utf8JsonWriter writer, RecordBatch batch, int row, ArrowColumn[] columns)
    {
        writer.WriteStartObject();
        for (int i = 0; i < columns.Length; i++)
        {
            writer.WritePropertyName(columns[i].Name);
            try
            {
                Write(writer, batch.Column(i), row, columns[i]);
            }
            catch (JsonException exception)
            {
                throw new InputException($"field '{InputText.Shorten(columns[i].Name)}' holds broken JSON: {InputText.OneLine(exception.Message)}", exception);
            }
            catch (InputException exception)
            {
                throw new InputException($"field '{InputText.Shorten(columns[i].Name)}' {exception.Message}", exception);
            }
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, IArrowArray array, int index, ArrowColumn column)
    {
        if (array.IsNull(index))
        {
            writer.WriteNullValue();
            return;
        }
        switch (array)
        {
            case BinaryArray texts: WriteText(writer, texts.GetBytes(index), column, texts is StringArray); break;
            case LargeBinaryArray texts: WriteText(writer, texts.GetBytes(index), column, texts is LargeStringArray); break;
            case BinaryViewArray texts: WriteText(writer, texts.GetBytes(index), column, texts is StringViewArray); break;
            case BooleanArray values: writer.WriteBooleanValue(values.GetValue(index) == true); break;
            case ListArray list: WriteList(writer, list.Values, list.ValueOffsets[index], list.ValueOffsets[index + 1], column); break;
            case LargeListArray list: WriteList(writer, list.Values, list.ValueOffsets[index], list.ValueOffsets[index + 1], column); break;
            case ListViewArray list: WriteList(writer, list.Values, list.ValueOffsets[index], list.ValueOffsets[index] + list.Sizes[index], column); break;
            case FixedSizeListArray list: WriteFixedList(writer, list, index, column); break;
            case StructArray values: WriteStruct(writer, values, index, column); break;
            case DictionaryArray values: WriteEntry(writer, values, index, column); break;
            default: WriteNumber(writer, array, index); break;
        }
    }

    private static void WriteNumber(Utf8JsonWriter writer, IArrowArray array, int index)
    {
        switch (array)
        {
            case Int8Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case Int16Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case Int32Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case Int64Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case UInt8Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case UInt16Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case UInt32Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case UInt64Array values: writer.WriteNumberValue(values.GetValue(index)!.Value); break;
            case HalfFloatArray values: WriteFinite(writer, (double)values.GetValue(index)!.Value); break;
            case FloatArray values: WriteFinite(writer, values.GetValue(index)!.Value); break;
            case DoubleArray values: WriteFinite(writer, values.GetValue(index)!.Value); break;
            default: writer.WriteNullValue(); break;
        }
    }

    private static void WriteFinite(Utf8JsonWriter writer, double value)
    {
        if (double.IsFinite(value)) writer.WriteNumberValue(value);
        else writer.WriteNullValue();
    }

    private static void WriteText(Utf8JsonWriter writer, ReadOnlySpan<byte> utf8, ArrowColumn column, bool isText)
    {
        if (!Utf8.IsValid(utf8))
        {
            if (isText) throw new InputException("is no valid UTF-8 text");
            writer.WriteNullValue();
        }
        else if (column.IsJson)
        {
            writer.WriteRawValue(utf8);
        }
        else
        {
            writer.WriteStringValue(utf8);
        }
    }

    private static void WriteList(Utf8JsonWriter writer, IArrowArray values, long begin, long end, ArrowColumn column)
    {
        writer.WriteStartArray();
        for (long i = begin; i < end; i++) Write(writer, values, checked((int)i), column.Parts[0]);
        writer.WriteEndArray();
    }

    private static void WriteFixedList(Utf8JsonWriter writer, FixedSizeListArray list, int index, ArrowColumn column)
    {
        using IArrowArray values = list.GetSlicedValues(index);
        WriteList(writer, values, 0, values.Length, column);
    }

    private static void WriteStruct(Utf8JsonWriter writer, StructArray values, int index, ArrowColumn column)
    {
        writer.WriteStartObject();
        for (int i = 0; i < column.Parts.Length; i++)
        {
            writer.WritePropertyName(column.Parts[i].Name);
            Write(writer, values.Fields[i], index, column.Parts[i]);
        }
        writer.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter writer, DictionaryArray values, int index, ArrowColumn column)
    {
        int entry = values.Indices switch
        {
            Int8Array indices => indices.GetValue(index)!.Value,
            Int16Array indices => indices.GetValue(index)!.Value,
            Int32Array indices => indices.GetValue(index)!.Value,
            Int64Array indices => checked((int)indices.GetValue(index)!.Value),
            UInt8Array indices => indices.GetValue(index)!.Value,
            UInt16Array indices => indices.GetValue(index)!.Value,
            UInt32Array indices => checked((int)indices.GetValue(index)!.Value),
            _ => throw new InputException("is a dictionary with indices of an unknown kind"),
        };
        Write(writer, values.Dictionary, entry, column);
    }
}
