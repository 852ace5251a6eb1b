// What stands for the viewer's own interface: its translations, its components and its viewport.
export default { t: (key) => key };

export const Enums = {
  CORNERSTONE_3D_TOOLS_SOURCE_NAME: "Cornerstone3DTools",
  CORNERSTONE_3D_TOOLS_SOURCE_VERSION: "0.1",
};
