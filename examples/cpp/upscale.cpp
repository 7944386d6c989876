// Enlarge a picture with a network of limner, tile by tile.
//
//   limner export upscaler-fast-x4 -o upscaler.onnx --size 256x256
//   upscale upscaler.onnx photo.jpg large.png

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace {

// Where tiles begin along one side: the first at 0, the last at the end, the others between them.
// Two neighbors overlap by twice the margin, so that each pixel has the margin around it in one.
std::vector<int> tile_starts(int length, int tile, int margin) {
    std::vector<int> starts{0};
    while (starts.back() + tile < length)
        starts.push_back(std::min(starts.back() + tile - 2 * margin, length - tile));
    return starts;
}

// The number that a text is, or -1.
int whole_number(const char* text) {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    return *text && !*end && value >= 0 && value < 100000 ? static_cast<int>(value) : -1;
}

cv::Mat enlarge(cv::dnn::Net& net, const cv::Mat& tile) {
    net.setInput(cv::dnn::blobFromImage(tile, 1 / 255.0, cv::Size(), cv::Scalar(), /*swapRB=*/true));
    std::vector<cv::Mat> pictures;
    cv::dnn::imagesFromBlob(net.forward(), pictures);
    cv::Mat large;
    cv::cvtColor(pictures.front(), large, cv::COLOR_RGB2BGR);
    large.convertTo(large, CV_8U, 255);  // rounds, and clips to 0..255
    return large;
}

int run(const std::string& network, const std::string& input, const std::string& output, int side,
        int margin) {
    cv::Mat picture = cv::imread(input, cv::IMREAD_COLOR);
    if (!cv::haveImageWriter(output)) {
        std::cerr << output << ": is no format that OpenCV writes; use .png or .jpg\n";
        return 1;
    }
    if (picture.empty()) {
        std::cerr << input << ": cannot be read; name a JPEG or PNG picture\n";
        return 1;
    }
    const cv::Size size = picture.size();
    // a picture smaller than a tile is extended by its last rows and columns
    cv::copyMakeBorder(picture, picture, 0, std::max(0, side - size.height), 0,
                       std::max(0, side - size.width), cv::BORDER_REPLICATE);
    cv::dnn::Net net = cv::dnn::readNetFromONNX(network);
    cv::Mat result;
    int scale = 0;
    for (const int top : tile_starts(picture.rows, side, margin)) {
        for (const int left : tile_starts(picture.cols, side, margin)) {
            const cv::Rect place(left, top, side, side);
            const cv::Mat large = enlarge(net, picture(place));
            if (result.empty()) {
                scale = large.rows / side;
                result.create(picture.rows * scale, picture.cols * scale, CV_8UC3);
            }
            // cut the margin off, but not at the borders of the picture
            const int above = top > 0 ? margin : 0;
            const int before = left > 0 ? margin : 0;
            const cv::Rect inner(before * scale, above * scale, (side - before) * scale,
                                 (side - above) * scale);
            large(inner).copyTo(result(inner + cv::Point(left, top) * scale));
        }
    }
    if (!cv::imwrite(output, result(cv::Rect(0, 0, size.width * scale, size.height * scale)))) {
        std::cerr << output << ": cannot be written; use a folder that exists\n";
        return 1;
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4 || count > 6) {
        std::cerr << "usage: upscale NETWORK.onnx PICTURE RESULT [SIZE] [MARGIN]\n"
                     "SIZE: that of --size in limner export, 256 if left out. MARGIN: see the .md "
                     "file beside the network, 32 if left out.\n";
        return 2;
    }
    const int side = count > 4 ? whole_number(arguments[4]) : 256;
    const int margin = count > 5 ? whole_number(arguments[5]) : 32;
    if (margin < 0 || side <= 2 * margin) {
        std::cerr << "SIZE must be a number above 0, and more than twice MARGIN\n";
        return 2;
    }
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);  // one line per error
    try {
        return run(arguments[1], arguments[2], arguments[3], side, margin);
    } catch (const cv::Exception&) {
        std::cerr << arguments[1] << ": cannot be read, or is for another size; export it with --size "
                  << side << 'x' << side << ", and without --half and --int8\n";
        return 1;
    }
}
