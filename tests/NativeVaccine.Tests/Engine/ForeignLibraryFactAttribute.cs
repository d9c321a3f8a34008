namespace NativeVaccine.Tests.Engine;

/// <summary>A test that compiles a library; skipped where there is no C compiler under the name that Unix gives it.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ForeignLibraryFactAttribute : FactAttribute
{
    public ForeignLibraryFactAttribute()
    {
        if (ForeignLibrary.Compiler is null) Skip = "no cc or c++ on the path";
    }
}
