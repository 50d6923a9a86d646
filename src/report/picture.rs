//! Boxes and arrows: in the languages of Mermaid and Graphviz, and as SVG without anybody's help.

use std::fmt::Write as _;

/// The language of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Mermaid.
    Mermaid,
    /// Graphviz.
    Dot,
    /// SVG.
    Svg,
}

/// Boxes with lines of text, and arrows between them. Arrows make no circle.
#[derive(Debug)]
pub struct Picture {
    title: String,
    nodes: Vec<Vec<String>>,
    edges: Vec<(usize, usize)>,
}

/// Of text and boxes, in pixels.
const LETTER: usize = 7;
const LINE: usize = 18;
const PADDING: usize = 10;
const COLUMN_GAP: usize = 70;
const ROW_GAP: usize = 16;

impl Picture {
    /// An empty one.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), nodes: Vec::new(), edges: Vec::new() }
    }

    /// Adds a box; the number that is returned stands for it.
    pub fn node(&mut self, lines: Vec<String>) -> usize {
        self.nodes.push(lines);
        self.nodes.len() - 1
    }

    /// Adds an arrow.
    pub fn edge(&mut self, from: usize, to: usize) {
        self.edges.push((from, to));
    }

    /// The picture in a language.
    #[must_use]
    pub fn draw(&self, form: Form) -> String {
        match form {
            Form::Mermaid => self.mermaid(),
            Form::Dot => self.dot(),
            Form::Svg => self.svg(),
        }
    }

    fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (number, lines) in self.nodes.iter().enumerate() {
            let lines: Vec<_> = lines.iter().map(|line| of_xml(line)).collect();
            let _ = writeln!(text, "  n{number}[\"{}\"]", lines.join("<br/>"));
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  n{from} --> n{to}");
        }
        text
    }

    fn dot(&self) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text =
            format!("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(&self.title));
        for (number, lines) in self.nodes.iter().enumerate() {
            let lines: Vec<_> = lines.iter().map(|line| quoted(line)).collect();
            let _ = writeln!(text, "  n{number} [label=\"{}\"];", lines.join("\\n"));
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  n{from} -> n{to};");
        }
        text + "}\n"
    }

    /// In which column each box stands: right of all that point to it.
    fn columns(&self) -> Vec<usize> {
        let mut after = vec![Vec::new(); self.nodes.len()];
        let mut waits = vec![0; self.nodes.len()];
        for (from, to) in &self.edges {
            after[*from].push(*to);
            waits[*to] += 1;
        }
        let mut columns = vec![0; self.nodes.len()];
        let mut open: Vec<_> = (0..self.nodes.len()).filter(|node| waits[*node] == 0).collect();
        while let Some(node) = open.pop() {
            for to in &after[node] {
                columns[*to] = columns[*to].max(columns[node] + 1);
                waits[*to] -= 1;
                if waits[*to] == 0 {
                    open.push(*to);
                }
            }
        }
        columns
    }

    fn svg(&self) -> String {
        let columns = self.columns();
        let size = |node: usize| {
            let longest = self.nodes[node].iter().map(|line| line.chars().count()).max().unwrap_or_default();
            (longest * LETTER + 2 * PADDING, self.nodes[node].len() * LINE + PADDING)
        };
        let mut boxes = vec![(0, 0, 0, 0); self.nodes.len()];
        let (mut left, mut height) = (PADDING, 0);
        for column in 0..columns.iter().max().map_or(0, |last| last + 1) {
            let here = || (0..self.nodes.len()).filter(|node| columns[*node] == column);
            let width = here().map(|node| size(node).0).max().unwrap_or_default();
            let mut top = PADDING;
            for node in here() {
                boxes[node] = (left, top, width, size(node).1);
                top += size(node).1 + ROW_GAP;
            }
            left += width + COLUMN_GAP;
            height = height.max(top);
        }
        let width = left.saturating_sub(COLUMN_GAP) + PADDING;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"12\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#555\"/></marker></defs>\n",
            of_xml(&self.title)
        );
        for (from, to) in &self.edges {
            let (x, y, w, h) = boxes[*from];
            let (to_x, to_y, _, to_h) = boxes[*to];
            let (start, end) = ((x + w, y + h / 2), (to_x, to_y + to_h / 2));
            let middle = usize::midpoint(start.0, end.0);
            let _ = writeln!(
                text,
                "<path d=\"M{} {}C{middle} {},{middle} {},{} {}\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#head)\"/>",
                start.0, start.1, start.1, end.1, end.0, end.1
            );
        }
        for (lines, (x, y, w, h)) in self.nodes.iter().zip(&boxes) {
            let _ = writeln!(
                text,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"4\" fill=\"#eef3fa\" stroke=\"#345\"/>"
            );
            for (number, line) in lines.iter().enumerate() {
                let weight = if number == 0 && lines.len() > 1 { " font-weight=\"bold\"" } else { "" };
                let (x, y) = (x + PADDING, y + (number + 1) * LINE - 2);
                let _ = writeln!(text, "<text x=\"{x}\" y=\"{y}\"{weight}>{}</text>", of_xml(line));
            }
        }
        text + "</svg>\n"
    }
}

/// A text between tags of XML, which Mermaid reads as well.
fn of_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let mut picture = Picture::new("a<b");
        let nodes = ["one \"1\"", "two & <2>", "three"]
            .map(|name| picture.node(vec![name.to_owned(), "x".to_owned()]));
        picture.edge(nodes[0], nodes[1]);
        picture.edge(nodes[1], nodes[2]);
        picture.edge(nodes[0], nodes[2]);
        picture
    }

    #[test]
    fn the_languages_of_others_are_written_with_their_quotes() {
        let mermaid = picture().draw(Form::Mermaid);
        assert!(mermaid.starts_with("flowchart LR\n  n0[\"one &quot;1&quot;<br/>x\"]\n"), "{mermaid}");
        assert!(mermaid.contains("  n1 --> n2\n"), "{mermaid}");
        let dot = picture().draw(Form::Dot);
        assert!(dot.contains("n0 [label=\"one \\\"1\\\"\\nx\"];") && dot.contains("n0 -> n2;"), "{dot}");
    }

    #[test]
    fn a_picture_is_xml_in_which_arrows_lead_to_the_right_and_boxes_do_not_overlap() {
        let picture = picture();
        assert_eq!(picture.columns(), [0, 1, 2]);
        let svg = picture.draw(Form::Svg);
        let mut reader = quick_xml::Reader::from_str(&svg);
        let mut boxes = 0;
        loop {
            match reader.read_event().expect("it is XML") {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Empty(tag) if tag.name().as_ref() == "rect" => boxes += 1,
                _ => {}
            }
        }
        assert_eq!(boxes, 1 + 3, "the paper, and a box for each node: {svg}");
        assert!(svg.contains("two &amp; &lt;2&gt;") && svg.contains("<title>a&lt;b</title>"), "{svg}");
    }
}
