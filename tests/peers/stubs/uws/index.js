// soketi's own dependency is a git address; this is the npm re-publication of the same server for this node.
module.exports = require(`@uwsjs/linux-x64-${process.versions.node.split('.')[0]}`);
