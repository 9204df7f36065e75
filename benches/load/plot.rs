//! Line plots as SVG, both axes logarithmic. Knows nothing of what is plotted.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use plotters::prelude::{
    ChartBuilder, Circle, Color as _, IntoDrawingArea as _, IntoFont as _, IntoLogRange as _, LineSeries, PathElement,
    RGBColor, SVGBackend, SeriesLabelPosition, WHITE,
};

use crate::report::number;

/// Where the files go.
const PLOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance");

const SIZE: (u32, u32) = (760, 440);
const FONT: &str = "sans-serif";
/// Told apart by everybody, also without colours of their own by their order in the legend (Okabe and Ito).
const COLOURS: [RGBColor; 5] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167), RGBColor(86, 86, 86)];

/// What is drawn into one file.
#[derive(Debug)]
pub(crate) struct Plot {
    /// The file's name without its ending.
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// One line of a plot.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Line {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, points: Vec::new() }
    }
}

impl Plot {
    /// Writes the file beside the documentation.
    pub(crate) fn draw(&self) -> anyhow::Result<()> {
        fs::create_dir_all(PLOTS).context("the folder of the plots cannot be made")?;
        let path = Path::new(PLOTS).join(format!("{}.svg", self.file));
        let mut svg = String::new();
        self.draw_into(&mut svg).map_err(|error| anyhow!("{} cannot be drawn: {error}", self.file))?;
        fs::write(path, svg + "\n").context("a plot cannot be written")
    }

    fn draw_into(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let (x, y) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)));
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, (FONT, 18).into_font())
            .margin(12)
            .margin_right(40)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .label_style((FONT, 13))
            .axis_desc_style((FONT, 14))
            .light_line_style(RGBColor(240, 240, 240))
            .bold_line_style(RGBColor(215, 215, 215))
            .x_label_formatter(&|value| label(*value))
            .y_label_formatter(&|value| label(*value))
            .draw()?;
        for (line, colour) in self.lines.iter().zip(COLOURS) {
            let drawn = chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?;
            drawn
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
        }
        let labels = &mut chart.configure_series_labels();
        labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.85)).border_style(COLOURS[4]);
        labels.label_font((FONT, 13)).draw()?;
        area.present()?;
        Ok(())
    }
}

/// Whole decades around the values, with room for the legend above.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) = values
        .filter(|value| *value > 0.0)
        .fold((f64::INFINITY, f64::MIN_POSITIVE), |(least, most), value| (least.min(value), most.max(value)));
    if !least.is_finite() {
        return (1.0, 10.0);
    }
    (10_f64.powf(least.log10().floor()), 10_f64.powf((most * 1.05).log10().ceil()))
}

fn label(value: f64) -> String {
    let text = number(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
