// Improve the light and color of a picture with limner's beautifier.
//
//   limner export beautifier -o beautifier.onnx --size 1200x800
//   beautify beautifier.onnx photo.jpg better.png
//
// The network must be exported for the size of the picture.

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace {

// The number that a text is, or -1.
double real_number(const char* text) {
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    return *text && !*end ? value : -1;
}

// A number as the network takes it: [1, 1, 1, 1].
cv::Mat number(float value) {
    const int shape[] = {1, 1, 1, 1};
    return cv::Mat(4, shape, CV_32F, cv::Scalar(value));
}

int run(const std::string& network, const std::string& input, const std::string& output,
        float strength, float white_balance) {
    const cv::Mat picture = cv::imread(input, cv::IMREAD_COLOR);
    if (!cv::haveImageWriter(output)) {
        std::cerr << output << ": is no format that OpenCV writes; use .png or .jpg\n";
        return 1;
    }
    if (picture.empty()) {
        std::cerr << input << ": cannot be read; name a JPEG or PNG picture\n";
        return 1;
    }
    cv::dnn::Net net = cv::dnn::readNetFromONNX(network);
    net.setInput(cv::dnn::blobFromImage(picture, 1 / 255.0, cv::Size(), cv::Scalar(),
                                        /*swapRB=*/true),
                 "picture");
    net.setInput(number(strength), "strength");
    net.setInput(number(white_balance), "white_balance");
    std::vector<cv::Mat> pictures;
    try {
        cv::dnn::imagesFromBlob(net.forward(), pictures);
    } catch (const cv::Exception&) {
        std::cerr << network << ": is for another size; export it with --size " << picture.cols
                  << 'x' << picture.rows << '\n';
        return 1;
    }
    cv::Mat better;
    cv::cvtColor(pictures.front(), better, cv::COLOR_RGB2BGR);
    better.convertTo(better, CV_8U, 255);  // rounds, and clips to 0..255
    if (!cv::imwrite(output, better)) {
        std::cerr << output << ": cannot be written; use a folder that exists\n";
        return 1;
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 4 || count > 6) {
        std::cerr << "usage: beautify NETWORK.onnx PICTURE RESULT [STRENGTH] [WHITE_BALANCE]\n"
                     "STRENGTH: from 0 to 2, 1 if left out. WHITE_BALANCE: from 0 to 1, 0.5 if left "
                     "out.\n";
        return 2;
    }
    const double strength = count > 4 ? real_number(arguments[4]) : 1;
    const double white_balance = count > 5 ? real_number(arguments[5]) : 0.5;
    if (!(strength >= 0 && strength <= 2 && white_balance >= 0 && white_balance <= 1)) {
        std::cerr << "STRENGTH must be from 0 to 2, and WHITE_BALANCE from 0 to 1\n";
        return 2;
    }
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);  // one line per error
    try {
        return run(arguments[1], arguments[2], arguments[3], static_cast<float>(strength),
                   static_cast<float>(white_balance));
    } catch (const cv::Exception&) {
        std::cerr << arguments[1] << ": cannot be read; export beautifier with --size, and without "
                     "--half and --int8\n";
        return 1;
    }
}
