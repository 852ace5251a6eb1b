// One study in the viewer: the store of its metadata, the display sets, the report's handler, the annotations.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { adaptersSR } from "@cornerstonejs/adapters";
import { metaData } from "@cornerstonejs/core";
import { annotation, state } from "@cornerstonejs/tools";
import { classes, DicomMetadataStore } from "@ohif/core";
import extension, { toolNames } from "@ohif/extension-cornerstone-dicom-sr";

const { MetadataProvider } = classes;

/** Makes ready what the viewer makes ready once: the metadata of pictures, and the tool that shows reports. */
export function start() {
  metaData.addProvider((kind, imageId) => MetadataProvider.get(kind, imageId), 9999);
  extension.preRegistration({ servicesManager: {} });
}

/**
 * Opens the report of the study in a folder.
 *
 * Gives `threw` (the error's words, or null), `isRehydratable` (the viewer offers to turn the regions into editable
 * ones) and `annotations`, in the order of the report: `sop_instance_uid` and `frame` of the photograph, `graphic` and
 * `points` of the region (pixels from the centre of the first one), `lines` as the text box has them, and `labels`, how
 * many there would be were the text box long enough.
 */
export async function open(folder) {
  const series = read(folder);
  const reports = series.find(isReport);
  const handling = viewer(series.filter((instances) => !isReport(instances)));
  const handler = extension
    .getSopClassHandlerModule(handling)
    .find(({ sopClassUids }) => sopClassUids.includes(reports[0].SOPClassUID));
  annotation.state.removeAllAnnotations();
  try {
    const [displaySet] = handler.getDisplaySetsFromSeries(reports);
    await displaySet.load();
    return { threw: null, isRehydratable: displaySet.isRehydratable, annotations: annotations(displaySet) };
  } catch (error) {
    return { threw: String(error), isRehydratable: null, annotations: [] };
  }
}

/** Gives the series of the study in a folder, each as the list of its instances. */
function read(folder) {
  const known = DicomMetadataStore.getStudyInstanceUIDs().length;
  for (const name of readdirSync(folder).sort()) {
    const bytes = readFileSync(join(folder, name));
    DicomMetadataStore.addInstance(name.endsWith(".json") ? JSON.parse(bytes) : new Uint8Array(bytes).buffer);
  }
  const added = DicomMetadataStore.getStudyInstanceUIDs().slice(known);
  if (added.length !== 1) throw new Error(`${folder} must hold one study, which no other folder holds`);
  return DicomMetadataStore.getStudy(added[0]).series.map(({ instances }) => instances);
}

const isReport = ([first]) => first.Modality === "SR";

/** The services that the handler asks: the study's pictures, every kind of region that can be edited, no custom code. */
function viewer(pictures) {
  const editable = [...adaptersSR.Cornerstone3D.MeasurementReport.measurementAdapterByToolType.keys()];
  const services = {
    customizationService: { getCustomization() {} },
    displaySetService: {
      EVENTS: {},
      activeDisplaySets: pictures.map((instances) => new classes.ImageSet(instances)),
      subscribe() {},
    },
    measurementService: { getSourceMappings: () => editable.map((annotationType) => ({ annotationType })) },
  };
  const dataSource = { getImageIdsForDisplaySet: ({ images }) => images.flatMap(imageIds) };
  return { servicesManager: { services }, extensionManager: { getDataSources: () => [dataSource] } };
}

function imageIds(image) {
  const { StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, NumberOfFrames } = image;
  const path = `studies/${StudyInstanceUID}/series/${SeriesInstanceUID}/instances/${SOPInstanceUID}`;
  return Array.from({ length: NumberOfFrames || 1 }, (_, index) => `wadors:x/${path}/frames/${index + 1}`);
}

function annotations({ measurements }) {
  const tool = new state.tools[toolNames.DICOMSRDisplay].toolClass({});
  const shown = new Map(annotation.state.getAllAnnotations().map((one) => [one.annotationUID, one]));
  return measurements
    .map(({ TrackingUniqueIdentifier }) => shown.get(TrackingUniqueIdentifier))
    .filter((one) => one !== undefined)
    .map(({ data, metadata }) => {
      const { SOPInstanceUID, frameNumber } = MetadataProvider.getUIDsFromImageID(metadata.referencedImageId);
      return {
        sop_instance_uid: SOPInstanceUID,
        frame: Number(frameNumber),
        graphic: metadata.graphicType,
        points: data.handles.points.map((point) => [point[0], point[1]]),
        lines: tool._getTextBoxLinesFromLabels(data.labels),
        labels: data.labels.length,
      };
    });
}
