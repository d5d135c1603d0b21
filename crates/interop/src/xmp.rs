//! The XMP packet that marks a picture as made by a model, for readers that know nothing of prompts.
//!
//! It has IPTC's `DigitalSourceType`, which search engines and galleries read and which the European AI Act's rule on marking
//! asks for. After the IPTC Photo Metadata Standard 2023.1 and the vocabulary at `cv.iptc.org/newscodes/digitalsourcetype`.

/// How a picture came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceType {
    /// By a model alone.
    Model,
    /// By a model, from another picture.
    ModelAndPicture,
}

/// The keyword of the packet in a PNG file (XMP specification, part 3).
pub(crate) const KEYWORD: &str = "XML:com.adobe.xmp";

/// The packet. It contains no time, so the same arguments give the same bytes.
pub(crate) fn packet(source: SourceType) -> String {
    let kind = match source {
        SourceType::Model => "trainedAlgorithmicMedia",
        SourceType::ModelAndPicture => "compositeWithTrainedAlgorithmicMedia",
    };
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
         <rdf:Description rdf:about=\"\"\n\
         \x20xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"\n\
         \x20xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"\n\
         \x20Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/digitalsourcetype/{kind}\"\n\
         \x20xmp:CreatorTool=\"maquette {}\"/>\n\
         </rdf:RDF>\n\
         </x:xmpmeta>\n\
         <?xpacket end=\"r\"?>",
        env!("CARGO_PKG_VERSION")
    )
}
