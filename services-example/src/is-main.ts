/** Whether the module is the program that was started, not one that is imported. */
export const isMain = (meta: ImportMeta): boolean => meta.filename === process.argv[1]
